/* Makes calls of one process fail with EIO: those named in $EIO_CALLS, on paths that contain $EIO_PATH,
 * while the file $EIO_SWITCH exists. For LD_PRELOAD; programs that call the kernel without libc are not
 * touched by it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(const char *call, int fd) {
    const char *calls = getenv("EIO_CALLS"), *path = getenv("EIO_PATH"), *turned_on = getenv("EIO_SWITCH");
    char link[64], target[4096];
    int before = errno, on = 0;
    if (calls && path && turned_on && strstr(calls, call) && access(turned_on, F_OK) == 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, target, sizeof target - 1);
        if (length > 0) {
            target[length] = 0;
            on = strstr(target, path) != NULL;
        }
    }
    errno = on ? EIO : before;
    return on;
}

#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))

int fdatasync(int fd) {
    return fails("fdatasync", fd) ? -1 : REAL("fdatasync", int (*)(int))(fd);
}

int fsync(int fd) {
    return fails("fsync", fd) ? -1 : REAL("fsync", int (*)(int))(fd);
}

ssize_t pread64(int fd, void *to, size_t length, off64_t at) {
    return fails("pread", fd) ? -1 : REAL("pread64", ssize_t (*)(int, void *, size_t, off64_t))(fd, to, length, at);
}

ssize_t pwrite64(int fd, const void *from, size_t length, off64_t at) {
    return fails("pwrite", fd) ? -1 : REAL("pwrite64", ssize_t (*)(int, const void *, size_t, off64_t))(fd, from, length, at);
}
