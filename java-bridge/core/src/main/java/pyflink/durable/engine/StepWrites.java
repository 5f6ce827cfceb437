package pyflink.durable.engine;

/** Applies journal writes to the journals of running invocations. Any thread. */
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
     * Applies them in order, and tells the engine of each once it is in its journal: a hold must
     * not be known before what it waits for.
     *
     * @param executed how many calls are made by them
     * @param writes see {@link JournalWrites}
     * @return whether one of the calls, or its outcome, has to wait
     */
    public boolean apply(long executed, Object[] writes) {
        invocations.requireOpen();
        counters.add("executed", executed);
        boolean held = false;
        for (JournalWrites write = new JournalWrites(writes); write.next(); ) {
            Invocation<?, ?> invocation = invocations.get(write.invocation());
            write.apply(invocation.journal());
            if (write.clears()) {
                engine.cleared(invocation, write.slot());
            } else {
                engine.written(invocation, write.slot(), write.hold());
                held |= write.hold() != null;
            }
        }
        return held;
    }
}
