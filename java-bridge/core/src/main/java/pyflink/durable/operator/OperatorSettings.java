package pyflink.durable.operator;

import java.io.Serializable;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import javax.annotation.Nullable;
import pyflink.durable.engine.Limits;
import pyflink.durable.state.HandlerVersions;
import pyflink.durable.state.Retention;

/**
 * What a job says of one of its durable operators. The Python that builds the graph gives each
 * setting by its name, see {@link Builder}; it goes to the TaskManagers with the operator.
 */
public final class OperatorSettings implements Serializable {

    private static final long serialVersionUID = 1L;

    final String name;

    /** The operator's id in savepoints, as the job gave it. */
    final String uid;

    final Limits limits;
    final Retention retention;

    /** Settings of the call log, null for a job without one. */
    @Nullable final HashMap<String, String> callLog;

    final HandlerVersions versions;

    OperatorSettings(
            String name,
            String uid,
            Limits limits,
            Retention retention,
            @Nullable Map<String, String> callLog,
            HandlerVersions versions) {
        this.name = name;
        this.uid = uid;
        this.limits = limits;
        this.retention = retention;
        this.callLog = callLog == null ? null : new HashMap<>(callLog);
        this.versions = versions;
    }

    /** Takes the settings one by one, named as the options of {@code DurableOptions} are. */
    public static final class Builder {

        private final String name;
        private final String uid;
        private int maxInFlight;
        private int maxPending;
        private long checkpointInterval;
        private long drainTimeout;
        private long parkAfter = -1;
        private boolean parkedHoldWatermarks;
        private int maxWaitingPerKey;
        private boolean numbersInputs;
        private long keyTtl;
        private long stateTtl;
        private long signalTtl;
        @Nullable private Map<String, String> callLog;
        private HandlerVersions versions = HandlerVersions.none();

        /**
         * @param name of the operator
         * @param uid the operator's id in savepoints
         */
        public Builder(String name, String uid) {
            this.name = name;
            this.uid = uid;
        }

        /** How many invocations of one subtask run at a time. */
        public Builder maxInFlight(int count) {
            maxInFlight = count;
            return this;
        }

        /** How many further inputs one subtask accepts. */
        public Builder maxPending(int count) {
            maxPending = count;
            return this;
        }

        /** Milliseconds between the job's checkpoints, 0 if it takes none. */
        public Builder checkpointInterval(long millis) {
            checkpointInterval = millis;
            return this;
        }

        /** How many milliseconds late a checkpoint may be at the end of the input. */
        public Builder drainTimeout(long millis) {
            drainTimeout = millis;
            return this;
        }

        /** After how many milliseconds of waiting invocations are parked; never without. */
        public Builder parkAfter(long millis) {
            parkAfter = millis;
            return this;
        }

        /** Whether what is parked holds watermarks back. */
        public Builder parkedHoldWatermarks(boolean hold) {
            parkedHoldWatermarks = hold;
            return this;
        }

        /** How many inputs of a key may wait behind its first; 0 for any number. */
        public Builder maxWaitingPerKey(int inputs) {
            maxWaitingPerKey = inputs;
            return this;
        }

        /** Whether invocations are told apart by the number of their input. */
        public Builder numbersInputs(boolean numbers) {
            numbersInputs = numbers;
            return this;
        }

        /** For how many milliseconds that number is kept, 0 for ever. */
        public Builder keyTtl(long millis) {
            keyTtl = millis;
            return this;
        }

        /** For how many milliseconds values of {@code ctx.state} are kept, 0 for ever. */
        public Builder stateTtl(long millis) {
            stateTtl = millis;
            return this;
        }

        /** For how many milliseconds a signal is kept that nobody takes. */
        public Builder signalTtl(long millis) {
            signalTtl = millis;
            return this;
        }

        /** Settings of the call log. */
        public Builder callLog(Map<String, String> settings) {
            callLog = settings;
            return this;
        }

        /**
         * @param current version of the handler; null if the job names none
         * @param previous other versions of which there is the code, null for those without one
         */
        public Builder versions(@Nullable String current, Collection<String> previous) {
            versions = new HandlerVersions(current, previous);
            return this;
        }

        public OperatorSettings build() {
            return new OperatorSettings(
                    name,
                    uid,
                    new Limits(maxInFlight, maxPending, checkpointInterval, drainTimeout)
                            .withParking(parkAfter)
                            .withParkedHoldingWatermarks(parkedHoldWatermarks)
                            .withMaxWaitingPerKey(maxWaitingPerKey),
                    new Retention(numbersInputs, keyTtl, stateTtl).withSignals(signalTtl),
                    callLog,
                    versions);
        }
    }
}
