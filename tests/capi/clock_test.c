/* The wall clock jumps by a year, forward and back: nothing that runs notices. */
#include <sys/syscall.h>

#include "check.h"

static long shift_s;           /* of the wall clock, for all threads but this test's own */
static unsigned long was_read; /* by them */
static __thread int keeps_time;

/* In place of the system's, also for the library. */
int clock_gettime(clockid_t clock, struct timespec *out) {
    const int result = (int)syscall(SYS_clock_gettime, clock, out);
    if (result != 0 || clock != CLOCK_REALTIME || keeps_time) return result;
    out->tv_sec += __atomic_load_n(&shift_s, __ATOMIC_RELAXED);
    __atomic_add_fetch(&was_read, 1, __ATOMIC_RELAXED);
    return result;
}

static void jump(long seconds) { __atomic_store_n(&shift_s, seconds, __ATOMIC_RELAXED); }

#define YEAR (365L * 24 * 3600)
#define HEARTBEAT_MS 30

static box server, client, later;

static void ignore(const sw_event *event, void *user) { (void)event, (void)user; }

/* For ten heartbeats, which is what its deadline takes, a request waits in vain; the clock jumps meanwhile. */
static double wait_while_it_jumps(sw_peer peer) {
    struct timespec before, after;
    sw_exchange exchange;
    sw_request_options options;
    sw_request_options_init(&options);
    options.timeout_ms = 10 * HEARTBEAT_MS;
    clock_gettime(CLOCK_MONOTONIC, &before);
    MUST(sw_peer_request(peer, text("silent"), bytes("x"), &options, &exchange));
    jump(YEAR);
    MUST(sw_peer_ping(peer, 1));
    if (!box_wait(&client, SW_EVENT_PONG, 1, NULL)) return -1;
    jump(-YEAR);
    MUST(sw_peer_ping(peer, 2));
    if (!box_wait(&client, SW_EVENT_PONG, 2, NULL)) return -1;
    if (box_done(&client, exchange).result != SW_ERR_TIMEOUT) return -1;
    clock_gettime(CLOCK_MONOTONIC, &after);
    return (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
}

int main(void) {
    char ticket[SW_ADDRESS_TEXT_SIZE];
    sw_node_options options;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.heartbeat_ms = HEARTBEAT_MS;
    options.heartbeat_count = 100; /* a machine that is busy for some of them is no jump */
    box_open(&server, &options);
    box_open(&client, &options);
    keeps_time = 1;
    server.echo = 1;
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    MUST(sw_node_route(server.node, text("silent"), ignore, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    const sw_peer peer = box_connect(&client, ticket);
    tap_ok(__atomic_load_n(&was_read, __ATOMIC_RELAXED) > 0, "the nodes read the clock that jumps");
    const double took = wait_while_it_jumps(peer);
    printf("# %.3f s\n", took);
    tap_ok(took >= 10 * HEARTBEAT_MS / 1e3 - 0.002 && took < 10,
           "a deadline passes after its time, neither at once nor never");
    tap_ok(box_ask(&client, peer, "echo", "still there").result == SW_OK, "the session goes on");
    tap_ok(box_count(&client, SW_EVENT_PEER_SUSPENDED) + box_count(&server, SW_EVENT_PEER_SUSPENDED) == 0,
           "without a break");
    jump(YEAR);
    keeps_time = 0;
    box_open(&later, &options);
    keeps_time = 1;
    note n;
    box_connect(&later, ticket);
    box_wait(&later, SW_EVENT_PEER_CONNECTED, 1, &n);
    tap_ok(n.first / 1000 > (uint64_t)YEAR - 60,
           "a node that opens after the jump connects, and sees how far the clocks are apart");
    box_close(&later);
    box_close(&client);
    box_close(&server);
    return tap_done();
}
