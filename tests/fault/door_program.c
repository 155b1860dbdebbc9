/* A server that tells what its doors cost, and clients that are honest: see door_test.py.
 *
 *   door_program serve HANDSHAKE_MS DESCRIPTORS HEARTBEAT_MS [CA_FILE]
 *                              prints its ticket; then, for each line of input, one with numbers; a line "m" gives it more descriptors,
 *                              "h2" takes all but 2 away, "f" gives them back. With CA_FILE it is of wss, and its CA is written there
 *   door_program ask TICKET COUNT [CA_FILE]
 *                              prints how many of so many connects one after the other succeed, and their times
 *   door_program idle TICKET COUNT HEARTBEAT_MS [CA_FILE]
 *                              connects so many times, a few at once, prints how many connected, and keeps them until its input ends;
 *                              then how often any was suspended or closed
 */
#include <sys/resource.h>

#include "capi/check.h"
#include "support/certificates_c.h"

static unsigned long microseconds(const struct timeval *t) {
    return (unsigned long)t->tv_sec * 1000000u + (unsigned long)t->tv_usec;
}

static unsigned long used(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return microseconds(&usage.ru_utime) + microseconds(&usage.ru_stime);
}

enum { MAX_HOGS = 4096 };

/* Takes all descriptors but so many. */
static void hog(int leave) {
    static int hogs[MAX_HOGS], count;
    for (int fd; count < MAX_HOGS && (fd = dup(0)) >= 0;) hogs[count++] = fd;
    while (leave-- > 0 && count > 0) close(hogs[--count]);
}

static sw_listener listen_secure(sw_node node, sw_listen_options *options, const char *ca_file) {
    static test_certificates made;
    sw_listener listener;
    sw_tls_options tls;
    FILE *file = fopen(ca_file, "w");
    make_test_certificates(&made);
    if (!file || fputs(made.ca, file) < 0 || fclose(file) != 0) exit(1);
    sw_tls_options_init(&tls);
    tls.certificate = text(made.server);
    tls.key = text(made.server_key);
    options->tls = &tls;
    MUST(sw_node_listen(node, text("wss://127.0.0.1:0/talk"), options, &listener));
    return listener;
}

static int serve(const char *handshake_ms, const char *descriptors, const char *heartbeat_ms, const char *ca_file) {
    box b;
    char ticket[SW_ADDRESS_TEXT_SIZE], line[16];
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.several_sessions = 1;
    options.handshake_timeout_ms = (uint32_t)atoi(handshake_ms);
    options.heartbeat_ms = (uint32_t)atoi(heartbeat_ms);
    if (atoi(descriptors) > 0) {
        struct rlimit limit;
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = (rlim_t)atoi(descriptors);
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    box_open(&b, &options);
    sw_listen_options listen_options;
    sw_listener listener;
    sw_listen_options_init(&listen_options);
    listen_options.backlog = 4096;
    if (ca_file) listener = listen_secure(b.node, &listen_options, ca_file);
    else MUST(sw_node_listen(b.node, text("tcp://127.0.0.1:0"), &listen_options, &listener));
    if (!box_wait(&b, SW_EVENT_LISTENING, 1, NULL)) return 1;
    MUST(sw_listener_ticket(listener, ticket));
    printf("%s\n", ticket);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (line[0] == 'h') hog(atoi(line + 1));
        if (line[0] == 'f') hog(MAX_HOGS);
        if (line[0] == 'm') {
            struct rlimit limit;
            getrlimit(RLIMIT_NOFILE, &limit);
            limit.rlim_cur = limit.rlim_max;
            setrlimit(RLIMIT_NOFILE, &limit);
        }
        sw_stats stats = {.size = sizeof stats};
        MUST(sw_node_get_stats(b.node, &stats));
        printf("%lu %u %u %llu %llu\n", used(), box_count(&b, SW_EVENT_LISTENER_PAUSED),
               box_count(&b, SW_EVENT_LISTENER_RESUMED), (unsigned long long)stats.accepted,
               (unsigned long long)stats.sessions);
        fflush(stdout);
    }
    box_close(&b);
    return 0;
}

static int by_time(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void trust_in(const char *ca_file, sw_connect_options *options, sw_tls_options *trust) {
    sw_connect_options_init(options);
    sw_tls_options_init(trust);
    if (!ca_file) return;
    trust->ca_file = text(ca_file);
    options->tls = trust;
}

static int ask(const char *ticket, int count, const char *ca_file) {
    box b;
    sw_connect_options options;
    sw_tls_options trust;
    trust_in(ca_file, &options, &trust);
    int good = 0;
    double *times = (double *)calloc((size_t)count, sizeof(double));
    box_open_several(&b);
    for (int i = 0; i < count; ++i) {
        struct timespec before, after;
        sw_peer peer;
        clock_gettime(CLOCK_MONOTONIC, &before);
        MUST(sw_node_connect(b.node, text(ticket), &options, &peer));
        note n;
        memset(&n, 0, sizeof n);
        for (int known = 0; !known;) {
            pthread_mutex_lock(&b.mutex);
            for (size_t k = 0; k < b.count && !known; ++k) {
                n = b.notes[k];
                known = n.peer.value == peer.value && n.type != SW_EVENT_PEER_CONNECTING;
            }
            if (!known) pthread_cond_wait(&b.changed, &b.mutex);
            else b.count = 0;
            pthread_mutex_unlock(&b.mutex);
        }
        clock_gettime(CLOCK_MONOTONIC, &after);
        times[i] = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
        good += n.type == SW_EVENT_PEER_CONNECTED;
        if (n.type != SW_EVENT_PEER_CONNECTED) fprintf(stderr, "%s: %s\n", sw_result_name(n.result), n.detail);
    }
    qsort(times, (size_t)count, sizeof(double), by_time);
    printf("%d %.6f %.6f\n", good, times[count / 2], times[(count * 99 + 99) / 100 - 1]);
    box_close(&b);
    free(times);
    return 0;
}

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int under_way, connected, harmed;
    int closing;
} idlers = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void on_idle_event(const sw_event *event, void *user) {
    (void)user;
    pthread_mutex_lock(&idlers.mutex);
    if (event->type == SW_EVENT_PEER_CONNECTED) --idlers.under_way, ++idlers.connected;
    else if (event->type == SW_EVENT_PEER_SUSPENDED) ++idlers.harmed;
    else if (event->type == SW_EVENT_PEER_CLOSED && !idlers.closing) --idlers.under_way, ++idlers.harmed;
    pthread_cond_broadcast(&idlers.changed);
    pthread_mutex_unlock(&idlers.mutex);
}

static int idle(const char *ticket, int count, const char *heartbeat_ms, const char *ca_file) {
    sw_node node;
    sw_connect_options connect_options;
    sw_tls_options trust;
    trust_in(ca_file, &connect_options, &trust);
    sw_node_options options;
    char line[16];
    sw_node_options_init(&options);
    options.several_sessions = 1;
    options.heartbeat_ms = (uint32_t)atoi(heartbeat_ms);
    options.on_event = on_idle_event;
    MUST(sw_node_open(&options, &node));
    for (int i = 0; i < count; ++i) {
        sw_peer peer;
        pthread_mutex_lock(&idlers.mutex);
        while (idlers.under_way >= 64) pthread_cond_wait(&idlers.changed, &idlers.mutex);
        ++idlers.under_way;
        pthread_mutex_unlock(&idlers.mutex);
        MUST(sw_node_connect(node, text(ticket), &connect_options, &peer));
    }
    pthread_mutex_lock(&idlers.mutex);
    while (idlers.under_way > 0) pthread_cond_wait(&idlers.changed, &idlers.mutex);
    printf("%d\n", idlers.connected);
    pthread_mutex_unlock(&idlers.mutex);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) continue;
    pthread_mutex_lock(&idlers.mutex);
    printf("%d\n", idlers.harmed);
    idlers.closing = 1;
    pthread_mutex_unlock(&idlers.mutex);
    fflush(stdout);
    MUST(sw_node_close(node, 5000, NULL));
    return 0;
}

int main(int argc, char **argv) {
    if ((argc == 5 || argc == 6) && strcmp(argv[1], "serve") == 0) return serve(argv[2], argv[3], argv[4], argv[5]);
    if ((argc == 4 || argc == 5) && strcmp(argv[1], "ask") == 0) return ask(argv[2], atoi(argv[3]), argv[4]);
    if ((argc == 5 || argc == 6) && strcmp(argv[1], "idle") == 0) return idle(argv[2], atoi(argv[3]), argv[4], argv[5]);
    return 2;
}
