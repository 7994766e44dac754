# plot.gp - draws what `bench --json` measured: gnuplot -d -e "lines = 'FILE'; picture = 'FILE.svg'" plot.gp
#
# One bar for each vocabulary and family of rows: times of f32 rows over those of the floor. The floor is the line at 1.

set encoding utf8
set terminal svg size 960,760 font 'sans-serif,13' background 'white' noenhanced
set output picture

# Values of a kernel at a vocabulary, a line for each family: NAME RATIO.
command(kernel, vocab) = sprintf("< sed -n 's/.*\"time\", \"vocab\": %d, \"rows\": \"\\([a-z]*\\)\", \"dtype\": \"f32\", \"kernel\": \"%s\".*\"ratio\": \\([0-9.]*\\).*/\\1 \\2/p' '%s'", vocab, kernel, lines)
machine = system(sprintf("sed -n '1s/.*\"processor\": \"\\([^\"]*\\)\".*\"isa\": \"\\([^\"]*\\)\", \"compiler\": \"\\([^\"]*\\)\".*/\\1; \\2; \\3/p' '%s'", lines))

set border 3 linecolor rgb '#404040'
set tics nomirror out scale 0.5 textcolor rgb '#202020'
set xtics scale 0
set grid ytics linetype 1 linecolor rgb '#dddddd' linewidth 0.7
set style data histograms
set style histogram clustered gap 1.2
set style fill solid 1.0 noborder
set boxwidth 0.9
set xrange [-0.6:4.6]
set yrange [0:*]
set lmargin at screen 0.08
set rmargin at screen 0.82

array titles[2] = ['trb_solve over lse, the log-sum-exp of both rows', 'trb_reverse_kl with its gradient over move, two readings of both rows and one writing']
array kernels[2] = ['solve', 'loss']

set label 1 machine at screen 0.08, screen 0.975 left textcolor rgb '#404040'
set key at screen 0.84, screen 0.9 left top Left reverse samplen 1.5 spacing 1.3
set multiplot
do for [i = 1:2] {
  set tmargin at screen (i == 1 ? 0.91 : 0.44)
  set bmargin at screen (i == 1 ? 0.54 : 0.07)
  set label 2 titles[i] at graph 0, graph 1 left offset 0, 0.8 font ',15'
  plot command(kernels[i], 32000) using 2:xtic(1) title (i == 1 ? 'V = 32,000' : '') linecolor rgb '#56B4E9', \
    command(kernels[i], 151936) using 2 title (i == 1 ? 'V = 151,936' : '') linecolor rgb '#0072B2', \
    command(kernels[i], 262144) using 2 title (i == 1 ? 'V = 262,144' : '') linecolor rgb '#D55E00', \
    1 with lines linewidth 2 linecolor rgb '#000000' title (i == 1 ? 'the floor' : '')
  unset label 1
}
unset multiplot
