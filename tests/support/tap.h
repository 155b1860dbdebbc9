/* Test points for C programs, printed in TAP: tap_ok for each fact, tap_done at the end of main. */
#ifndef SEALWIRE_TESTS_TAP_H
#define SEALWIRE_TESTS_TAP_H

#include <stdio.h>

static int tap_points;
static int tap_failures;

/* Prints at once, so that what was shown before a crash is not lost. Returns `good`. */
static inline int tap_ok(int good, const char *fact) {
    printf("%sok %d - %s\n", good ? "" : "not ", ++tap_points, fact);
    fflush(stdout);
    if (!good) ++tap_failures;
    return good;
}

/* The plan; without it the run counts as broken off. Returns the exit status. */
static inline int tap_done(void) {
    printf("1..%d\n", tap_points);
    return tap_failures ? 1 : 0;
}

#endif
