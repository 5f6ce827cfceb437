package pyflink.durable.log;

import java.io.IOException;
import javax.annotation.Nullable;

/** Told how an append ended; runs on the log's thread, so it only hands the news on. */
@FunctionalInterface
public interface AppendCallback {

    /**
     * @param failure why the entry is not known to be durable, or null if it is
     */
    void onAppended(@Nullable IOException failure);
}
