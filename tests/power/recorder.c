/* Records all changes below one folder, in the order in which they happened, to one log; preloaded into every process.
 *
 * In: RECORD_ROOT (the folder), RECORD_LOG (the log), RECORD_TURN (a file of zeros that all processes map: whose turn
 * it is, and the last token). Out: records as recording.py reads them.
 * The one thing to know: a change and its record are made in one turn, so the log's order is that of the changes. A
 * sync is two records, before and after: what was written before the first is on the disk at the second.
 * What cannot be recorded (shared writable maps, stdio, links with a symbol) is recorded as such, and fails the test.
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CREATE = 1, MKDIR, WRITE, TRUNCATE, RENAME, UNLINK, RMDIR, LINK, SYNC_BEGIN, SYNC_END, UNKNOWN };

struct head { uint32_t magic, kind; uint64_t inode, a, b; uint32_t first, second; };
struct turn { volatile uint32_t taken; uint32_t pad; volatile uint64_t token; };

static const char *root, *log_path;
static size_t root_length;
static struct turn *turn;

__attribute__((constructor)) static void begin(void) {
    const char *shared = getenv("RECORD_TURN");
    root = getenv("RECORD_ROOT");
    log_path = getenv("RECORD_LOG");
    if (!root || !log_path || !shared) { root = NULL; return; }
    root_length = strlen(root);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, shared, O_RDWR | O_CLOEXEC, 0);
    void *map = fd < 0 ? MAP_FAILED : (void *)syscall(SYS_mmap, 0, sizeof *turn, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) abort();
    syscall(SYS_close, fd);
    turn = map;
}

static void take(void) {
    while (__atomic_exchange_n(&turn->taken, 1, __ATOMIC_ACQUIRE)) {
        struct timespec pause = {0, 20000};
        syscall(SYS_nanosleep, &pause, NULL);
    }
}

static void give(void) { __atomic_store_n(&turn->taken, 0, __ATOMIC_RELEASE); }

/* The log is opened for each record: a descriptor that is kept would be closed, or taken over, by its process. */
static void record(uint32_t kind, uint64_t inode, uint64_t a, uint64_t b, const void *first, size_t m,
                   const void *second, size_t n) {
    struct head head = {0x50435554, kind, inode, a, b, (uint32_t)m, (uint32_t)n};
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)first, m}, {(void *)second, n}};
    int saved = errno;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || syscall(SYS_writev, fd, parts, 3) != (long)(sizeof head + m + n)) abort();
    syscall(SYS_close, fd);
    errno = saved;
}

static int below(const char *path) {
    return root && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

/* The absolute path with its folder resolved; 1 where it is below the root. */
static int place(int at, const char *path, char *out) {
    char whole[2 * PATH_MAX + 2], folder[PATH_MAX];
    if (!root || !path) return 0;
    if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        char link[64], base[PATH_MAX];
        if (at == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        long n = syscall(SYS_readlinkat, AT_FDCWD, link, base, sizeof base - 1);
        if (n < 0) return 0;
        base[n] = 0;
        snprintf(whole, sizeof whole, "%s/%s", base, path);
    }
    size_t length = strlen(whole);
    while (length > 1 && whole[length - 1] == '/') whole[--length] = 0;
    char *slash = strrchr(whole, '/');
    const char *name = slash + 1;
    if (slash == whole) { snprintf(out, PATH_MAX, "%s", whole); return below(out); }
    *slash = 0;
    int saved = errno;
    if (!realpath(whole, folder)) { errno = saved; return 0; }
    snprintf(out, PATH_MAX, "%.*s/%s", PATH_MAX - 256, folder, name);
    return below(out);
}

/* Whether the descriptor is a regular file (or, where wanted, a folder) below the root. */
static int ours(int fd, struct stat *found, int folders) {
    char link[64], path[PATH_MAX];
    if (!root || fd < 0) return 0;
    int saved = errno;
    if (fstat(fd, found) || !(S_ISREG(found->st_mode) || (folders && S_ISDIR(found->st_mode)))) { errno = saved; return 0; }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long n = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    errno = saved;
    if (n < 0) return 0;
    path[n] = 0;
    return below(path);
}

static void unknown(const char *what, const char *path) { record(UNKNOWN, 0, 0, 0, what, strlen(what), path, strlen(path)); }

typedef FILE *(*opener)(const char *, const char *);

/* --- opening ---------------------------------------------------------------------------------------------------- */

static int opened(int at, const char *path, int flags, mode_t mode) {
    char whole[PATH_MAX];
    int makes = (flags & O_CREAT) || (flags & O_TRUNC) || (flags & O_TMPFILE) == O_TMPFILE;
    if (!makes || !place(at, path, whole)) return (int)syscall(SYS_openat, at, path, flags, mode);
    struct stat before, after;
    take();
    int was = !fstatat(at, path, &before, 0);
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    int saved = errno;
    if (fd >= 0 && !fstat(fd, &after) && S_ISREG(after.st_mode)) {
        if ((flags & O_TMPFILE) == O_TMPFILE) record(CREATE, after.st_ino, 0, 0, "", 0, "", 0);
        else if (!was) record(CREATE, after.st_ino, 0, 0, whole, strlen(whole), "", 0);
        else if (flags & O_TRUNC) record(TRUNCATE, after.st_ino, 0, 0, "", 0, "", 0);
    }
    give();
    errno = saved;
    return fd;
}

#define MODE(flags, mode) mode_t mode = 0; \
    if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) { va_list l; va_start(l, flags); mode = va_arg(l, mode_t); va_end(l); }

int open(const char *path, int flags, ...) { MODE(flags, mode) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, mode) return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags, mode) return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags, mode) return opened(at, path, flags | O_LARGEFILE, mode); }
int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __openat_2(int at, const char *path, int flags) { return opened(at, path, flags, 0); }
int __openat64_2(int at, const char *path, int flags) { return opened(at, path, flags, 0); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }

static void stdio(const char *path, const char *mode) {
    char whole[PATH_MAX];
    if (!strpbrk(mode, "wa+") || !place(AT_FDCWD, path, whole)) return;
    take(); unknown("stdio", whole); give();
}
FILE *fopen(const char *path, const char *mode) {
    stdio(path, mode);
    return ((opener)dlsym(RTLD_NEXT, "fopen"))(path, mode);
}
FILE *fopen64(const char *path, const char *mode) {
    stdio(path, mode);
    return ((opener)dlsym(RTLD_NEXT, "fopen64"))(path, mode);
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static void log_region(int fd, const struct stat *file, off_t offset, size_t n) {
    char *copy = malloc(n ? n : 1), link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int again = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
    long got = again < 0 ? -1 : syscall(SYS_pread64, again, copy, n, offset);
    if (again >= 0) syscall(SYS_close, again);
    if (got == (long)n) record(WRITE, file->st_ino, (uint64_t)offset, 0, "", 0, copy, n);
    else unknown("region", link);
    free(copy);
}

ssize_t write(int fd, const void *data, size_t n) {
    struct stat file;
    if (!ours(fd, &file, 0)) return syscall(SYS_write, fd, data, n);
    take();
    ssize_t done = syscall(SYS_write, fd, data, n);
    int saved = errno;
    if (done > 0) record(WRITE, file.st_ino, (uint64_t)(syscall(SYS_lseek, fd, 0, SEEK_CUR) - done), 0, "", 0, data, (size_t)done);
    give();
    errno = saved;
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset) {
    struct stat file;
    if (!ours(fd, &file, 0)) return syscall(SYS_pwrite64, fd, data, n, offset);
    take();
    ssize_t done = syscall(SYS_pwrite64, fd, data, n, offset);
    int saved = errno;
    if (done > 0) record(WRITE, file.st_ino, (uint64_t)offset, 0, "", 0, data, (size_t)done);
    give();
    errno = saved;
    return done;
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t offset) { return pwrite(fd, data, n, offset); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct stat file;
    if (!ours(fd, &file, 0)) return syscall(SYS_writev, fd, parts, count);
    take();
    ssize_t done = syscall(SYS_writev, fd, parts, count);
    int saved = errno;
    if (done > 0) log_region(fd, &file, syscall(SYS_lseek, fd, 0, SEEK_CUR) - done, (size_t)done);
    give();
    errno = saved;
    return done;
}

static ssize_t vector(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    struct stat file;
    if (!ours(fd, &file, 0)) return syscall(SYS_pwritev2, fd, parts, count, offset, 0L, flags);
    take();
    ssize_t done = syscall(SYS_pwritev2, fd, parts, count, offset, 0L, flags);
    int saved = errno;
    if (done > 0) log_region(fd, &file, offset, (size_t)done);
    give();
    errno = saved;
    return done;
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return vector(fd, parts, count, offset, 0); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) { return vector(fd, parts, count, offset, 0); }
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) { return vector(fd, parts, count, offset, flags); }
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags) { return vector(fd, parts, count, offset, flags); }

ssize_t sendfile(int out, int in, off_t *offset, size_t n) {
    struct stat file;
    if (!ours(out, &file, 0)) return syscall(SYS_sendfile, out, in, offset, n);
    take();
    ssize_t done = syscall(SYS_sendfile, out, in, offset, n);
    int saved = errno;
    if (done > 0) log_region(out, &file, syscall(SYS_lseek, out, 0, SEEK_CUR) - done, (size_t)done);
    give();
    errno = saved;
    return done;
}
ssize_t sendfile64(int out, int in, off64_t *offset, size_t n) { return sendfile(out, in, offset, n); }

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t n, unsigned flags) {
    struct stat file;
    if (!ours(out, &file, 0)) return syscall(SYS_copy_file_range, in, from, out, to, n, flags);
    take();
    off64_t begin = to ? *to : syscall(SYS_lseek, out, 0, SEEK_CUR);
    ssize_t done = syscall(SYS_copy_file_range, in, from, out, to, n, flags);
    int saved = errno;
    if (done > 0) log_region(out, &file, begin, (size_t)done);
    give();
    errno = saved;
    return done;
}

static int sized(int fd, long result, const struct stat *before) {
    struct stat after;
    int saved = errno;
    if (!result && !fstat(fd, &after) && after.st_size != before->st_size)
        record(TRUNCATE, before->st_ino, (uint64_t)after.st_size, 0, "", 0, "", 0);
    give();
    errno = saved;
    return (int)result;
}
int ftruncate(int fd, off_t size) {
    struct stat file;
    if (!ours(fd, &file, 0)) return (int)syscall(SYS_ftruncate, fd, size);
    take();
    fstat(fd, &file);
    return sized(fd, syscall(SYS_ftruncate, fd, size), &file);
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }
int fallocate(int fd, int mode, off_t offset, off_t size) {
    struct stat file;
    if (!ours(fd, &file, 0)) return (int)syscall(SYS_fallocate, fd, mode, offset, size);
    take();
    if (mode & ~FALLOC_FL_KEEP_SIZE) unknown("fallocate", "");
    fstat(fd, &file);
    return sized(fd, syscall(SYS_fallocate, fd, mode, offset, size), &file);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t size) { return fallocate(fd, mode, offset, size); }
int posix_fallocate(int fd, off_t offset, off_t size) { return fallocate(fd, 0, offset, size) ? errno : 0; }
int posix_fallocate64(int fd, off64_t offset, off64_t size) { return posix_fallocate(fd, offset, size); }
int truncate(const char *path, off_t size) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int result = ftruncate(fd, size), saved = errno;
    syscall(SYS_close, fd);
    errno = saved;
    return result;
}
int truncate64(const char *path, off64_t size) { return truncate(path, size); }

static void mapped(int flags, int protection, int fd) {
    struct stat file;
    char link[64], path[PATH_MAX];
    if ((flags & MAP_TYPE) == MAP_PRIVATE || !(protection & PROT_WRITE) || (flags & MAP_ANONYMOUS) || !ours(fd, &file, 0)) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long n = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    path[n < 0 ? 0 : n] = 0;
    if (n > 4 && !strcmp(path + n - 4, "-shm")) return; /* SQLite makes it anew */
    take(); unknown("mmap", path); give();
}
void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset) {
    if (root) mapped(flags, protection, fd);
    return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}
void *mmap64(void *at, size_t n, int protection, int flags, int fd, off64_t offset) { return mmap(at, n, protection, flags, fd, offset); }

/* --- names ------------------------------------------------------------------------------------------------------ */

int renameat2(int old, const char *from, int new, const char *to, unsigned flags) {
    char source[PATH_MAX], target[PATH_MAX];
    int a = place(old, from, source), b = place(new, to, target);
    if (!a && !b) return (int)syscall(SYS_renameat2, old, from, new, to, flags);
    take();
    int result = (int)syscall(SYS_renameat2, old, from, new, to, flags), saved = errno;
    if (!result && a && b && !flags) record(RENAME, 0, 0, 0, source, strlen(source), target, strlen(target));
    else if (!result) unknown("rename", target);
    give();
    errno = saved;
    return result;
}
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int old, const char *from, int new, const char *to) { return renameat2(old, from, new, to, 0); }

int unlinkat(int at, const char *path, int flags) {
    char whole[PATH_MAX];
    struct stat file;
    if (!place(at, path, whole)) return (int)syscall(SYS_unlinkat, at, path, flags);
    take();
    int was = !fstatat(at, path, &file, AT_SYMLINK_NOFOLLOW);
    int result = (int)syscall(SYS_unlinkat, at, path, flags), saved = errno;
    if (!result && was && S_ISREG(file.st_mode)) record(UNLINK, file.st_ino, 0, 0, whole, strlen(whole), "", 0);
    if (!result && was && S_ISDIR(file.st_mode)) record(RMDIR, file.st_ino, 0, 0, whole, strlen(whole), "", 0);
    give();
    errno = saved;
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    int result = unlinkat(AT_FDCWD, path, 0);
    return result && (errno == EISDIR || errno == EPERM) ? rmdir(path) : result;
}

int linkat(int old, const char *from, int new, const char *to, int flags) {
    char whole[PATH_MAX];
    struct stat file;
    if (!place(new, to, whole)) return (int)syscall(SYS_linkat, old, from, new, to, flags);
    take();
    int result = (int)syscall(SYS_linkat, old, from, new, to, flags), saved = errno;
    if (!result && !fstatat(new, to, &file, AT_SYMLINK_NOFOLLOW)) record(LINK, file.st_ino, 0, 0, whole, strlen(whole), "", 0);
    give();
    errno = saved;
    return result;
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int symlinkat(const char *target, int at, const char *path) {
    char whole[PATH_MAX];
    if (place(at, path, whole)) { take(); unknown("symlink", whole); give(); }
    return (int)syscall(SYS_symlinkat, target, at, path);
}
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }

int mkdirat(int at, const char *path, mode_t mode) {
    char whole[PATH_MAX];
    struct stat made;
    if (!place(at, path, whole)) return (int)syscall(SYS_mkdirat, at, path, mode);
    take();
    int result = (int)syscall(SYS_mkdirat, at, path, mode), saved = errno;
    if (!result && !fstatat(at, path, &made, 0)) record(MKDIR, made.st_ino, 0, 0, whole, strlen(whole), "", 0);
    give();
    errno = saved;
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* --- syncing ---------------------------------------------------------------------------------------------------- */

static int synced(long call, int fd) {
    struct stat file;
    if (!ours(fd, &file, 1)) return (int)syscall(call, fd);
    take();
    uint64_t token = ++turn->token;
    record(SYNC_BEGIN, file.st_ino, token, 0, "", 0, "", 0);
    give();
    int result = (int)syscall(call, fd), saved = errno;
    if (!result) { take(); record(SYNC_END, file.st_ino, token, 0, "", 0, "", 0); give(); }
    errno = saved;
    return result;
}
int fsync(int fd) { return synced(SYS_fsync, fd); }
int fdatasync(int fd) { return synced(SYS_fdatasync, fd); }
