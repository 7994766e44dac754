package trb;

import java.util.List;

/**
 * A model. Its methods run on the thread that called the library, and may not use that call's context. What they throw
 * stops the call and comes out of it: unchecked exceptions and errors as they are, checked ones as the cause of a
 * {@link StoppedException}. Logits are taken back when a method returns.
 */
public interface Model {
    int vocab();

    /** Fills `out`, the rows of the first query first, then those of the next. They are NaN before. */
    void forward(List<Query> queries, Logits out) throws Exception;

    /** Adds what follows from the gradient of the logits that forward just gave to that of the parameters. */
    default void backward(List<Query> queries, Logits grad) throws Exception {
        throw new UnsupportedOperationException("Model: expected a model with backward to train");
    }

    /** Of the logits that forward fills. */
    default Dtype dtype() {
        return Dtype.F32;
    }

    /** The distribution is the softmax of the logits divided by this. */
    default float temperature() {
        return 1;
    }
}
