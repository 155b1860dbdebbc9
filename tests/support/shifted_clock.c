/* A wall clock that is ahead by SHIFTED_CLOCK_S seconds, for a process in which this library is loaded first. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *out) {
    static int shift = -1;
    if (shift < 0) {
        const char *seconds = getenv("SHIFTED_CLOCK_S");
        shift = seconds ? atoi(seconds) : 0;
    }
    const int result = (int)syscall(SYS_clock_gettime, clock, out);
    if (result == 0 && clock == CLOCK_REALTIME) out->tv_sec += shift;
    return result;
}
