/* Gives every forked child of a profiled process a profile of its own.
 *
 * Xdebug opens one file for each request and goes on writing through the same descriptor after a fork, so that all
 * children write into their parent's file, each with names of its own. This library is preloaded in the profile pass:
 * before a fork it notes how much the parent has written, and in the child it puts a new file in the descriptor's
 * place. Beside that file it leaves a note for the reader: how much of which file the parent had written; when the child
 * was started, by which it is told from others to whom its number was given; and how long after the first of its
 * ancestors had begun its profile it was forked, since Xdebug counts the open frames' time from there.
 *
 * The child runs system calls alone: after a fork of a program with threads nothing else is safe.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BEGIN "cachegrind.out."
#define MOST 8

static struct open_profile {
    int fd;
    int flags;
    off_t written;
    unsigned long long until; /* nanoseconds from its first ancestor's beginning to the fork; 0: not known */
    size_t folder; /* length of the folder's part of the path, with its slash */
    char path[4096];
} profiles[MOST];
static int count;

/* When the profile behind a descriptor was begun, by the wall clock. A child goes on behind the same one. */
static struct begun {
    int fd;
    long long at;
} begun[MOST];
static int begun_count;

/* Files are dated by a clock that goes on in steps of some milliseconds; it is compared with itself. */
static unsigned long long since_begun(int fd) {
    struct timespec now;
    long long at = 0;
    for (int known = 0; known < begun_count; known++)
        if (begun[known].fd == fd)
            at = begun[known].at;
#if defined STATX_BTIME && defined SYS_statx
    if (!at && begun_count < MOST) {
        struct statx file;
        /* By its number: the function is younger than the C libraries that this is to be loaded beside. */
        if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BTIME, &file) != 0 || !(file.stx_mask & STATX_BTIME))
            return 0;
        at = file.stx_btime.tv_sec * 1000000000LL + file.stx_btime.tv_nsec;
        begun[begun_count].fd = fd;
        begun[begun_count++].at = at;
    }
#endif
    if (!at || clock_gettime(CLOCK_REALTIME_COARSE, &now) != 0)
        return 0;
    at = now.tv_sec * 1000000000LL + now.tv_nsec - at;
    return at > 0 ? (unsigned long long)at : 0;
}

/* Finds the profiles that this process has open. */
static void prepare(void) {
    char link[64] = "/proc/self/fd/";
    int saved = errno;
    DIR *all = opendir("/proc/self/fd");
    count = 0;
    if (!all) {
        errno = saved;
        return;
    }
    for (struct dirent *entry; count < MOST && (entry = readdir(all));) {
        struct open_profile *found = &profiles[count];
        char *name;
        ssize_t length;
        if (strlen(entry->d_name) > 20 || entry->d_name[0] == '.')
            continue;
        strcpy(link + 14, entry->d_name);
        length = readlink(link, found->path, sizeof found->path - 1);
        if (length <= 0)
            continue;
        found->path[length] = 0;
        name = strrchr(found->path, '/');
        if (!name || strncmp(name + 1, BEGIN, sizeof BEGIN - 1) != 0)
            continue;
        found->fd = atoi(entry->d_name);
        found->flags = fcntl(found->fd, F_GETFL);
        found->written = lseek(found->fd, 0, SEEK_CUR);
        found->folder = (size_t)(name + 1 - found->path);
        found->until = since_begun(found->fd);
        if (found->written >= 0 && found->flags >= 0 && (found->flags & O_ACCMODE) != O_RDONLY)
            count++;
    }
    closedir(all);
    errno = saved;
}

static char *put(char *at, const char *text) {
    while (*text)
        *at++ = *text++;
    *at = 0;
    return at;
}

static char *put_number(char *at, unsigned long long number) {
    char digits[24], *digit = digits + sizeof digits - 1;
    *digit = 0;
    do
        *--digit = (char)('0' + number % 10);
    while (number /= 10);
    return put(at, digit);
}

/* When this process was started, as the kernel counts it; 0 where that cannot be read. */
static unsigned long long started(void) {
    static char text[1024];
    unsigned long long ticks = 0;
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC), field = 2;
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    char *at;
    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return 0;
    text[length] = 0;
    /* The name, in brackets, may hold anything. */
    for (at = strrchr(text, ')'); at && *at && field < 22; at++)
        field += *at == ' ';
    for (; at && *at >= '0' && *at <= '9'; at++)
        ticks = ticks * 10 + (unsigned)(*at - '0');
    return ticks;
}

/* A new file for one profile; a pid that came again gets a number behind it. */
static void replace(struct open_profile *old) {
    static char path[4096 + 64], line[4096 + 96];
    char *end, *line_end;
    int fd = -1, note;
    memcpy(path, old->path, old->folder);
    end = put_number(put(path + old->folder, BEGIN), (unsigned long long)getpid());
    for (int again = 1; again < 1000; again++) {
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            break;
        put_number(put(end, "."), (unsigned long long)again);
    }
    if (fd < 0)
        return;
    line_end = put(put_number(put(line, ""), (unsigned long long)old->written), " ");
    line_end = put(put(line_end, old->path + old->folder), "\n");
    line_end = put(put_number(line_end, started()), "\n");
    line_end = put(put_number(line_end, old->until), "\n");
    put(path + strlen(path), ".fork");
    note = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    /* Without its line nobody could read the file: then the child stays with its parent's. */
    if (note >= 0 && write(note, line, (size_t)(line_end - line)) == line_end - line)
        dup3(fd, old->fd, 0);
    if (note >= 0)
        close(note);
    close(fd);
}

static void in_child(void) {
    int saved = errno;
    for (int at = 0; at < count; at++)
        replace(&profiles[at]);
    errno = saved;
}

__attribute__((constructor)) static void begin(void) {
    const char *trial = getenv("PROFILE_RUN_PRELOAD_TRIAL");
    pthread_atfork(prepare, NULL, in_child);
    if (trial) {
        int fd = open(trial, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
            close(fd);
    }
}
