/** The mathematics, in doubles. */
final class Reference {
    private static long state;

    private Reference() {}

    /** Numbers in [-2, 2), the same everywhere. */
    static float[][] random(long seed, int rows, int vocab) {
        state = seed;
        var lists = new float[rows][vocab];
        for (float[] list : lists) {
            for (int v = 0; v < vocab; v++) {
                state = state * 16807 % 2147483647;
                list[v] = (float) (state / 2147483647.0 * 4 - 2);
            }
        }
        return lists;
    }

    static double[] logSoftmax(double[] list) {
        double max = Double.NEGATIVE_INFINITY;
        for (double x : list) {
            max = Math.max(max, x);
        }
        double sum = 0;
        for (double x : list) {
            sum += Math.exp(x - max);
        }
        var out = new double[list.length];
        for (int v = 0; v < list.length; v++) {
            out[v] = list[v] - max - Math.log(sum);
        }
        return out;
    }

    static double[] logSoftmax(float... list) {
        var copy = new double[list.length];
        for (int v = 0; v < list.length; v++) {
            copy[v] = list[v];
        }
        return logSoftmax(copy);
    }

    /** log mu at a weight of the teacher. */
    static double[] blended(float[] s, float[] t, double beta) {
        var mixed = new double[s.length];
        for (int v = 0; v < s.length; v++) {
            mixed[v] = (1 - beta) * s[v] + beta * t[v];
        }
        return logSoftmax(mixed);
    }

    /** Of log-probabilities. */
    static double kl(double[] a, double[] b) {
        double sum = 0;
        for (int v = 0; v < a.length; v++) {
            sum += a[v] == Double.NEGATIVE_INFINITY ? 0 : Math.exp(a[v]) * (a[v] - b[v]);
        }
        return sum;
    }

    static double entropy(double[] a) {
        return -kl(a, new double[a.length]);
    }

    /** Of the reverse KL with respect to the student's logits. */
    static double[] reverseKlGradient(float[] s, float[] t) {
        double[] p = logSoftmax(s);
        double[] q = logSoftmax(t);
        var out = new double[p.length];
        for (int v = 0; v < p.length; v++) {
            out[v] = Math.exp(p[v]) * (p[v] - q[v] - kl(p, q));
        }
        return out;
    }
}
