package pyflink.durable.log.file;

import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * The permissions of what the log makes: entries hold results of calls, in the clear. So all
 * TaskManagers run as one user.
 */
final class OwnerOnly {

    private OwnerOnly() {}

    static FileAttribute<?>[] file(Path path) {
        return permissions(path, "rw-------");
    }

    static FileAttribute<?>[] directory(Path path) {
        return permissions(path, "rwx------");
    }

    private static FileAttribute<?>[] permissions(Path path, String permissions) {
        return path.getFileSystem().supportedFileAttributeViews().contains("posix")
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(
                            PosixFilePermissions.fromString(permissions))
                }
                : new FileAttribute<?>[0];
    }
}
