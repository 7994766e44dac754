#!/bin/sh
# A small piece of the demo, as a user runs it: setting A with hastily trained models, two seeds, ten updates by OPD and by
# TRB.
#
# usage: demo.sh DISTILL DIRECTORY
#
# Checked are the files that it leaves, that a second run finds all of it done and repeats the report to the byte, that
# one in another directory, interrupted and gone on with, writes the same metrics, and what blended rollouts are for: in
# the first ten updates the teacher thinks better of them. MARGIN is how many nats per token better, as a mean over the
# two seeds. Over seeds 1 to 40 the difference had mean 0.767 and standard deviation 0.104, so that a mean of two is 5
# standard deviations above it: false alarms have probability 3e-7 if a machine that rounds differently acts as another
# seed does.
set -eu

distill=$1
place=$2
MARGIN=0.4
options="--settings A --no-controls --methods opd,trb-0.05-25 --seeds 2 --steps 10 --effort 0.3"

rm -rf "$place"
# shellcheck disable=SC2086
"$distill" --out "$place/one" $options >"$place.log"
for file in report.html table.txt summary.csv curves.csv plots/A-learning.svg plots/A-learning.png plots/A-rollouts.svg \
  plots/A-rollouts.png; do
  [ -s "$place/one/$file" ] || { echo "demo.sh: $file is not there" >&2; exit 1; }
done

cp "$place/one/report.html" "$place/before.html"
# shellcheck disable=SC2086
"$distill" --out "$place/one" $options >"$place.again" 2>"$place.progress"
cmp "$place.log" "$place.again"
cmp "$place/before.html" "$place/one/report.html"
if grep -q ' of ' "$place.progress"; then echo 'demo.sh: work that was done is done again' >&2; exit 1; fi

status=0
# shellcheck disable=SC2086
timeout --preserve-status -s INT 4 "$distill" --out "$place/two" --jobs 1 $options >/dev/null 2>"$place.progress" || status=$?
[ "$status" -eq 130 ] || { echo "demo.sh: expected status 130 of an interrupted run, got $status" >&2; exit 1; }
grep -q 'goes on from here' "$place.progress"
# shellcheck disable=SC2086
"$distill" --out "$place/two" $options >"$place.again" 2>"$place.progress"
cmp "$place.log" "$place.again"
for metrics in runs/A/opd/seed-1 runs/A/trb-0.05-25/seed-2; do
  cmp "$place/one/$metrics/metrics.jsonl" "$place/two/$metrics/metrics.jsonl"
done

# Labels have commas in them, so columns behind them are counted from the end.
awk -F, -v margin=$MARGIN '
  NR == 1 { for (i = 1; i <= NF; i++) if ($i == "early_log_teacher") behind = NF - i; next }
  { sum[$3] += $(NF - behind); n[$3]++ }
  END {
    opd = sum["\"opd\""] / n["\"opd\""]; trb = sum["\"trb-0.05-25\""] / n["\"trb-0.05-25\""]
    printf "demo.sh: log q per token in the first ten updates: OPD %.3f, TRB %.3f\n", opd, trb
    if (!(trb - opd > margin)) { print "demo.sh: expected a difference above " margin > "/dev/stderr"; exit 1 }
  }' "$place/one/summary.csv"

# Rollouts by blocks of 8 at a budget of 0.02: a third of the calls of the teacher, or fewer. How many there are does not
# depend on the machine's speed; on that of the machine that this was written on there were 0.17 to 0.24 as many.
# shellcheck disable=SC2086
"$distill" --out "$place/one" $options --blocks >"$place.blocks" 2>/dev/null
for file in blocks.csv plots/A-blocks.svg plots/A-blocks.png plots/A-blocks-one.svg plots/A-blocks-one.png; do
  [ -s "$place/one/$file" ] || { echo "demo.sh: $file is not there" >&2; exit 1; }
done
awk -F, '
  $3 == 0.02 { calls[$2 " " $4] = $5 }
  END {
    for (batch = 0; batch < 2; batch++) {
      printf "demo.sh: calls of the teacher by blocks of 8 and of 1: %d, %d\n", calls[batch " 8"], calls[batch " 1"]
      if (!(calls[batch " 1"] > 0 && calls[batch " 8"] * 3 < calls[batch " 1"])) exit 1
    }
  }' "$place/one/blocks.csv"
