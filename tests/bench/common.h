/* What every C program of the benchmark shares: arguments, clock, message layout, percentiles and the JSON lines.
 *
 * The interface that run.py drives is written in README.md. A message is `size` bytes (at least 16): byte 0 is 1 in the
 * closing message of a run and else 0, bytes 8 to 15 hold a number, little-endian: the message's own, counted from 0,
 * or in the closing message the count of messages sent before it.
 */
#ifndef SEALWIRE_BENCH_COMMON_H
#define SEALWIRE_BENCH_COMMON_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { kMinSize = 16, kWarmConnections = 16 };

struct bench_options {
    bool server;
    bool curve;            /* zmq only */
    const char *transport; /* where a program knows several: tcp, unix, tls, ws, wss or pipe */
    int kind;              /* the digit of the workload: 1 to 7 */
    const char *workload;  /* its name, repeated in the results */
    const char *address;   /* client: what the server printed */
    const char *state;     /* a private folder of this run, for keys */
    size_t size;           /* bytes a message */
    uint64_t count;        /* messages, or connections in W4; 0: until `seconds` are over */
    double seconds;
    uint32_t outstanding; /* W2: requests in flight, over all connections */
    uint32_t connections; /* W2: connections the requests are spread over; W5: subscribers; W6: idle connections */
    size_t batch;         /* W3, byte streams: bytes a write gathers; 0: one write a message */
};

__attribute__((noreturn, format(printf, 1, 2))) static inline void bench_fail(const char *format, ...) {
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, " (errno: %s)\n", strerror(error));
    exit(1);
}

static inline void *bench_allocate(void *old, size_t size) {
    void *memory = realloc(old, size);
    if (!memory) bench_fail("no memory for %zu bytes", size);
    return memory;
}

static inline uint64_t bench_now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Reads the arguments, prints the usage and exits where they make no sense, and raises the limit of descriptors. */
static inline struct bench_options bench_parse(int argc, char **argv) {
    struct bench_options o = {
        .transport = "tcp", .workload = "", .size = 64, .seconds = 1, .outstanding = 256, .connections = 1};
    bool batch_given = false, connections_given = false;
    if (argc < 2 || (strcmp(argv[1], "server") != 0 && strcmp(argv[1], "client") != 0)) {
        fprintf(stderr,
                "usage: %s server|client --workload W1|W1f|W2|W3a|W3b|W3c|W4|W5|W6|W7|W7f [--address A] [--state DIR]"
                " [--size BYTES] [--count N] [--seconds S] [--outstanding N] [--connections N] [--batch BYTES] "
                "[--curve] [--transport T]\n",
                argv[0]);
        exit(2);
    }
    o.server = strcmp(argv[1], "server") == 0;
    for (int i = 2; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--curve") == 0) {
            o.curve = true;
            continue;
        }
        if (i + 1 == argc) bench_fail("%s needs a value", name);
        const char *value = argv[++i];
        if (strcmp(name, "--workload") == 0) o.workload = value;
        else if (strcmp(name, "--address") == 0) o.address = value;
        else if (strcmp(name, "--transport") == 0) o.transport = value;
        else if (strcmp(name, "--state") == 0) o.state = value;
        else if (strcmp(name, "--size") == 0) o.size = strtoull(value, NULL, 10);
        else if (strcmp(name, "--count") == 0) o.count = strtoull(value, NULL, 10);
        else if (strcmp(name, "--seconds") == 0) o.seconds = strtod(value, NULL);
        else if (strcmp(name, "--outstanding") == 0) o.outstanding = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--connections") == 0)
            connections_given = true, o.connections = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--batch") == 0) batch_given = true, o.batch = strtoull(value, NULL, 10);
        else bench_fail("unknown argument %s", name);
    }
    o.kind = o.workload[0] == 'W' && strchr("1234567", o.workload[1]) ? o.workload[1] - '0' : 0;
#ifndef BENCH_PARTS
    if (o.kind == 7) o.kind = 3; /* all that a byte stream has: messages, one behind the other */
#endif
    if (!o.kind) bench_fail("unknown workload '%s'", o.workload);
    if (o.size < kMinSize) bench_fail("a message has at least %d bytes", kMinSize);
    if (!o.server && !o.address) bench_fail("a client needs --address");
    if (!o.count && o.seconds <= 0) bench_fail("--count or --seconds must be positive");
    if (!batch_given) o.batch = o.size < 1024 ? 16384 : 0; /* 16,384: the largest TLS record */
    if (!connections_given && o.kind == 6) o.connections = 1000;
    if (!connections_given && o.kind == 5) o.connections = 100;
    if (o.kind == 5) o.outstanding = o.connections;
    if (o.kind == 1) o.outstanding = o.connections = 1;
    if (!o.connections || o.outstanding < o.connections)
        o.outstanding = o.connections = o.connections ? o.connections : 1;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    return o;
}

static inline bool bench_over(const struct bench_options *o, const char *transport) {
    return strcmp(o->transport, transport) == 0;
}

/* The path of a file in the folder of this run. */
static inline void bench_state_path(const struct bench_options *o, const char *name, char *out, size_t size) {
    if (!o->state) bench_fail("--state is needed for %s", name);
    if (snprintf(out, size, "%s/%s", o->state, name) >= (int)size) bench_fail("%s: too long a path", o->state);
}

static inline void bench_message_set(uint8_t *message, bool last, uint64_t number) {
    message[0] = last;
    memcpy(message + 8, &number, 8);
}

static inline bool bench_message_last(const uint8_t *message) { return message[0] != 0; }

static inline uint64_t bench_message_number(const uint8_t *message) {
    uint64_t number;
    memcpy(&number, message + 8, 8);
    return number;
}

/* Says when the client has sent enough. The clock is read once in `stride` messages. */
struct bench_pace {
    uint64_t count, stride, start_ns, limit_ns;
};

static inline struct bench_pace bench_pace_start(const struct bench_options *o) {
    uint64_t stride = o->kind == 1 || o->kind == 4 || o->size >= 65536 ? 1 : 64;
    return (struct bench_pace){o->count, stride, bench_now_ns(), (uint64_t)(o->seconds * 1e9)};
}

static inline bool bench_pace_more(const struct bench_pace *pace, uint64_t sent) {
    if (pace->count) return sent < pace->count;
    return sent % pace->stride != 0 || bench_now_ns() - pace->start_ns < pace->limit_ns;
}

/* Round-trip times in nanoseconds; the first tenth is warm-up and left out of the percentiles. */
struct bench_latencies {
    uint64_t *ns;
    size_t size, capacity;
};

static inline void bench_latency_add(struct bench_latencies *l, uint64_t ns) {
    if (l->size == l->capacity) {
        l->capacity = l->capacity ? l->capacity * 2 : 65536;
        l->ns = bench_allocate(l->ns, l->capacity * sizeof *l->ns);
    }
    l->ns[l->size++] = ns;
}

static inline int bench_compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Lines of JSON to run.py: one when the server listens, one result from either side, and W6's progress. */
static inline void bench_print_ready(const char *address) {
    printf("{\"role\":\"server\",\"ready\":true,\"address\":\"%s\",\"pid\":%d}\n", address, (int)getpid());
    fflush(stdout);
}

static inline void bench_print_connections(uint32_t connections) {
    printf("{\"role\":\"client\",\"connections\":%u}\n", connections);
    fflush(stdout);
}

/* `lost`: requests without a reply or with a wrong one. */
static inline void bench_print_peak(const struct bench_options *o) {
    struct rusage usage;
    if (o->workload[1] == '7' && getrusage(RUSAGE_SELF, &usage) == 0) {
        printf(",\"peak_mb\":%.1f", (double)usage.ru_maxrss / 1024);
    }
}

static inline void bench_print_client(const struct bench_options *o, uint64_t sent, uint64_t lost, uint64_t elapsed_ns,
                                      struct bench_latencies *l) {
    printf("{\"role\":\"client\",\"workload\":\"%s\",\"sent\":%llu,\"lost\":%llu", o->workload,
           (unsigned long long)sent, (unsigned long long)lost);
    if (o->kind == 2 && elapsed_ns) printf(",\"requests_per_s\":%.1f", (double)sent * 1e9 / (double)elapsed_ns);
    if (o->kind == 1 && l && l->size) {
        size_t first = l->size / 10, n = l->size - first;
        qsort(l->ns + first, n, sizeof *l->ns, bench_compare_u64);
        printf(",\"p50_us\":%.3f,\"p99_us\":%.3f", (double)l->ns[first + n / 2] / 1e3,
               (double)l->ns[first + n * 99 / 100] / 1e3);
    }
    bench_print_peak(o);
    printf("}\n");
    fflush(stdout);
}

/* `received` and `announced` are what came and what the closing message says was sent; equal when nothing is lost. */
static inline void bench_print_server(const struct bench_options *o, uint64_t received, uint64_t announced,
                                      uint64_t elapsed_ns) {
    printf("{\"role\":\"server\",\"workload\":\"%s\",\"received\":%llu,\"announced\":%llu", o->workload,
           (unsigned long long)received, (unsigned long long)announced);
    double per_s = elapsed_ns ? (double)received * 1e9 / (double)elapsed_ns : 0;
    if (o->kind == 3 || o->kind == 7)
        printf(",\"messages_per_s\":%.1f,\"bytes_per_s\":%.1f", per_s, per_s * (double)o->size);
    if (o->kind == 4) printf(",\"connections_per_s\":%.1f", per_s);
    bench_print_peak(o);
    printf("}\n");
    fflush(stdout);
}

/* W5, at the subscribers: what came, and what was published times their number; equal when nothing is lost. */
static inline void bench_print_deliveries(const struct bench_options *o, uint64_t received, uint64_t announced,
                                          uint64_t elapsed_ns) {
    printf("{\"role\":\"client\",\"workload\":\"%s\",\"sent\":%llu,\"lost\":%lld,\"deliveries_per_s\":%.1f}\n",
           o->workload, (unsigned long long)(announced / o->connections), (long long)(announced - received),
           elapsed_ns ? (double)received * 1e9 / (double)elapsed_ns : 0);
    fflush(stdout);
}

/* Blocks until run.py writes a line (true) or closes our standard input (false). */
static inline bool bench_wait_line(void) {
    char byte;
    ssize_t n;
    do n = read(0, &byte, 1);
    while ((n == 1 && byte != '\n') || (n < 0 && errno == EINTR));
    return n == 1;
}

#endif
