package pyflink.durable.engine;

/**
 * Applies the journal writes of a step to the journals of running invocations. Task thread only.
 */
public final class StepWrites {

    private final RunningInvocations invocations;
    private final HostRequests engine;
    private final DurableCounters counters;

    public StepWrites(
            RunningInvocations invocations, HostRequests engine, DurableCounters counters) {
        this.invocations = invocations;
        this.engine = engine;
        this.counters = counters;
    }

    /**
     * Applies them in order, and tells the engine of each.
     *
     * @param executed how many calls were made in the step
     * @param writes see {@link JournalWrites}
     */
    public void apply(long executed, Object[] writes) {
        invocations.requireOpen();
        counters.add("executed", executed);
        for (JournalWrites write = new JournalWrites(writes); write.next(); ) {
            Invocation<?, ?> invocation = invocations.get(write.invocation());
            write.apply(invocation.journal());
            if (write.clears()) {
                engine.cleared(invocation, write.slot());
            } else {
                engine.written(invocation, write.slot(), write.hold());
            }
        }
    }
}
