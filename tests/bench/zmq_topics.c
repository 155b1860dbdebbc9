/* W5 of the peers `zmq` and `zmq-curve`: a PUB socket and `connections` SUB sockets of one process.
 *
 * With ZMQ_XPUB_NODROP the publisher waits where a subscriber does not keep up, so that nothing is dropped, as Sealwire's does. It
 * publishes once all have subscribed: an XPUB socket tells. One thread receives for all subscribers.
 */
#include "zmq_common.h"

static void send_message(void *socket, uint8_t *body, size_t size, bool last, uint64_t number) {
    bench_message_set(body, last, number);
    check(zmq_send(socket, body, size, 0) == (int)size, "zmq_send");
}

static void run_server(const struct bench_options *o, void *context) {
    void *socket = zmq_socket(context, ZMQ_XPUB);
    check(socket != NULL, "zmq_socket");
    set_int(socket, ZMQ_XPUB_NODROP, 1);
    set_int(socket, ZMQ_XPUB_VERBOSE, 1); /* each subscription, not the first one alone */
    set_int(socket, ZMQ_BACKLOG, 4096);
    serve_curve(o, socket);
    check(zmq_bind(socket, "tcp://127.0.0.1:*") == 0, "zmq_bind");
    char address[128];
    size_t size = sizeof address;
    check(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, address, &size) == 0, "ZMQ_LAST_ENDPOINT");
    bench_print_ready(address);
    char subscription[8];
    for (uint32_t joined = 0; joined < o->connections; joined++) {
        check(zmq_recv(socket, subscription, sizeof subscription, 0) > 0, "zmq_recv");
    }
    uint8_t *body = bench_allocate(NULL, o->size);
    memset(body, 0, o->size);
    uint64_t published = 0;
    struct bench_pace pace = bench_pace_start(o);
    for (; bench_pace_more(&pace, published); published++) send_message(socket, body, o->size, false, published);
    send_message(socket, body, o->size, true, published);
    bench_print_server(o, published, published, bench_now_ns() - pace.start_ns);
    while (bench_wait_line()) {}
    zmq_close(socket);
    free(body);
}

static void run_client(const struct bench_options *o, void *context) {
    void **sockets = bench_allocate(NULL, o->connections * sizeof *sockets);
    zmq_pollitem_t *items = bench_allocate(NULL, o->connections * sizeof *items);
    struct curve_keys keys;
    read_curve(o, &keys);
    for (uint32_t i = 0; i < o->connections; i++) {
        sockets[i] = zmq_socket(context, ZMQ_SUB);
        check(sockets[i] != NULL, "zmq_socket");
        use_curve(o, sockets[i], &keys);
        check(zmq_setsockopt(sockets[i], ZMQ_SUBSCRIBE, "", 0) == 0, "ZMQ_SUBSCRIBE");
        check(zmq_connect(sockets[i], o->address) == 0, "zmq_connect");
        items[i] = (zmq_pollitem_t){.socket = sockets[i], .events = ZMQ_POLLIN};
    }
    uint8_t *body = bench_allocate(NULL, o->size);
    uint64_t received = 0, announced = 0, first_ns = 0;
    for (uint32_t closings = 0; closings < o->connections;) {
        check(zmq_poll(items, (int)o->connections, -1) > 0, "zmq_poll");
        if (!first_ns) first_ns = bench_now_ns();
        for (uint32_t i = 0; i < o->connections; i++) {
            if (!(items[i].revents & ZMQ_POLLIN)) continue;
            while (zmq_recv(sockets[i], body, o->size, ZMQ_DONTWAIT) == (int)o->size) {
                if (!bench_message_last(body)) {
                    received++;
                    continue;
                }
                announced += bench_message_number(body);
                closings++;
            }
            check(zmq_errno() == EAGAIN, "zmq_recv");
        }
    }
    bench_print_deliveries(o, received, announced, bench_now_ns() - first_ns);
    for (uint32_t i = 0; i < o->connections; i++) zmq_close(sockets[i]);
    free(sockets);
    free(items);
    free(body);
}

int main(int argc, char **argv) {
    struct bench_options options = bench_parse(argc, argv);
    void *context = zmq_ctx_new();
    check(context != NULL, "zmq_ctx_new");
    check(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, (int)options.connections + 64) == 0, "zmq_ctx_set");
    if (options.server) run_server(&options, context);
    else run_client(&options, context);
    zmq_ctx_term(context);
    return 0;
}
