import java.util.List;
import trb.Logits;
import trb.Model;
import trb.Query;

/** Logits by the last token, and their gradient. */
class TableModel implements Model {
    final float[][] logits;
    final double[][] gradient;
    int calls;

    TableModel(long seed, int vocab) {
        logits = Reference.random(seed, vocab, vocab);
        gradient = new double[vocab][vocab];
    }

    private interface Row {
        void accept(int row, int token);
    }

    @Override
    public int vocab() {
        return logits.length;
    }

    @Override
    public void forward(List<Query> queries, Logits out) throws Exception {
        calls++;
        eachRow(queries, (row, token) -> out.set(row, logits[token]));
    }

    @Override
    public void backward(List<Query> queries, Logits grad) {
        eachRow(queries, (row, token) -> {
            float[] more = grad.get(row);
            for (int v = 0; v < more.length; v++) {
                gradient[token][v] += more[v];
            }
        });
    }

    private static void eachRow(List<Query> queries, Row act) {
        int row = 0;
        for (Query query : queries) {
            int length = query.tokens().length;
            for (int at = length - query.rows(); at < length; at++) {
                act.accept(row++, (int) query.tokens()[at]);
            }
        }
    }
}
