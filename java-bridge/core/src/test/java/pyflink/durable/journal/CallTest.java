package pyflink.durable.journal;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What a call shows of itself. */
class CallTest extends JournalFixture {

    @Test
    void aCallShowsItsIdentityAndNeverItsPayload() {
        Call call = Call.completed(F, X, "secret".getBytes(), null, 0, 1, Call.NO_TIME);

        assertThat(call).hasToString("shop.charge(00000000000000aa) SUCCEEDED");
    }
}
