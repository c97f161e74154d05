/* Begins the count of a forked child at nothing.
 *
 * Callgrind copies what a process has cost so far into each child that it forks, so that the sum over all processes would
 * hold the parent's past once for each of them. This library is preloaded in the count pass: in a child it asks callgrind,
 * by the instructions that valgrind knows as a request and that do nothing elsewhere, to set its counters to zero.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* Callgrind's requests are numbered from 'C', 'T' on; the second one sets all costs to zero. */
#define ZERO_COSTS ((unsigned long)('C') << 24 | (unsigned long)('T') << 16 | 1)

static void in_child(void) {
    volatile unsigned long request[6] = {ZERO_COSTS, 0, 0, 0, 0, 0};
#if defined(__x86_64__)
    unsigned long result = 0;
    __asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi; xchgq %%rbx, %%rbx"
                     : "+d"(result)
                     : "a"(&request[0])
                     : "cc", "memory");
#elif defined(__aarch64__)
    register unsigned long result __asm__("x3") = 0;
    register volatile unsigned long *given __asm__("x4") = &request[0];
    __asm__ volatile("ror x12, x12, #3; ror x12, x12, #13; ror x12, x12, #51; ror x12, x12, #61; orr x10, x10, x10"
                     : "+r"(result)
                     : "r"(given)
                     : "cc", "memory", "x12");
#else
#error "how valgrind is asked is not known here"
#endif
}

__attribute__((constructor)) static void begin(void) {
    const char *trial = getenv("PROFILE_RUN_PRELOAD_TRIAL");
    pthread_atfork(NULL, NULL, in_child);
    if (trial) {
        int fd = open(trial, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
            close(fd);
    }
}
