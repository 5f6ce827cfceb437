package pyflink.durable.state;

/**
 * Brings the inputs of the selected key into the form in which the state holds them, and back. On
 * the task thread.
 */
public interface InputSeals<IN> {

    /** The input as it is to stand in the state: with its value as a payload, or as it is. */
    Input<IN> seal(Input<IN> input) throws Exception;

    /** The input as handlers get it. */
    Input<IN> open(Input<IN> stored) throws Exception;
}
