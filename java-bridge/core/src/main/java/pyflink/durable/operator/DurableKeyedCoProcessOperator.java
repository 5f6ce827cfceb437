package pyflink.durable.operator;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.functions.python.DataStreamPythonFunctionInfo;
import org.apache.flink.streaming.api.operators.TwoInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.types.Row;

/**
 * The durable operator with a second input, of signals. It has the state of the other one and more,
 * so a job that gets signals finds what it had under the same uid.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>The signals' watermarks and statuses are ignored. People are silent for days, and event
 *       time would stand still as long.
 *   <li>The end of one input is not the end: handlers that wait for a signal are waited for when no
 *       signal can come any more. Waited for before, the signal would not be read.
 *   <li>Never chained to what is behind it. PyFlink takes an operator with a first input for one
 *       that has no second.
 * </ul>
 */
public class DurableKeyedCoProcessOperator<K, IN, OUT>
        extends DurableKeyedProcessOperator<K, IN, OUT>
        implements TwoInputStreamOperator<IN, Row, OUT> {

    private static final long serialVersionUID = 1L;

    private static final int INPUTS = 2;

    private transient int ended;

    public DurableKeyedCoProcessOperator(
            Configuration config,
            DataStreamPythonFunctionInfo function,
            TypeInformation<IN> inputType,
            TypeInformation<OUT> outputType,
            OperatorSettings settings) {
        super(config, function, inputType, outputType, settings);
    }

    @Override
    public void processElement1(StreamRecord<IN> element) throws Exception {
        processElement(element);
    }

    /** A row of the key and a signal's pickle. */
    @Override
    public void processElement2(StreamRecord<Row> element) throws Exception {
        engine().acceptSignal((byte[]) element.getValue().getField(1));
    }

    @Override
    public void processWatermark1(Watermark mark) throws Exception {
        processWatermark(mark);
    }

    @Override
    public void processWatermark2(Watermark mark) {}

    @Override
    protected void processWatermarkStatus(WatermarkStatus status, int input) throws Exception {
        if (input == 0) {
            processWatermarkStatus(status);
        }
    }

    /** Flink calls it for each of the inputs. */
    @Override
    public void endInput() {
        ended++;
        if (ended == INPUTS) {
            super.endInput();
        }
    }
}
