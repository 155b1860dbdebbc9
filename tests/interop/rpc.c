/* Procedure calls to a program of another language, in MessagePack packed by hand: rpc [TICKET]. rpc.py and rpc.mjs are the same.
 * A call is [name, [arguments]]: 0x92, the name as a text of up to 31 bytes (0xa0 + length), an array (0x90 + count). */
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

static sem_t ready, ended;
static char got[256]; /* bytes of the replies, one after the other */
static size_t got_size;
static uint32_t got_code;
static int noted;

static sw_text text(const char *s) { return (sw_text){s, strlen(s)}; }
static sw_bytes pack(const char *s, size_t size) { return (sw_bytes){s, size}; }
#define PACK(literal) pack(literal, sizeof literal - 1)

static int starts(sw_bytes body, sw_bytes with) {
    return body.size >= with.size && memcmp(body.data, with.data, with.size) == 0;
}

/* Reads two small numbers, or gives back what it was given: enough to serve what the others call. */
static void on_call(const sw_event *event, void *user) {
    const sw_exchange exchange = event->as.message.exchange;
    const sw_bytes call = event->as.message.body;
    const unsigned char *bytes = call.data;
    sw_send_options options;
    (void)user;
    sw_send_options_init(&options);
    options.type = SW_BODY_MESSAGEPACK;
    if (starts(call, PACK("\x92\xa4"
                          "note\x91"))) {
        noted = 1; /* nobody waits for a result */
    } else if (event->as.message.expects == SW_EXPECTS_NONE) {
        return;
    } else if (starts(call, PACK("\x92\xa8"
                                 "math.add\x92")) &&
               call.size == 13) {
        const unsigned char sum = (unsigned char)(bytes[11] + bytes[12]); /* of numbers below 64 */
        sw_exchange_reply(exchange, (sw_bytes){&sum, 1}, &options);
    } else if (starts(call, PACK("\x92\xa4"
                                 "echo\x91"))) {
        sw_exchange_reply(exchange, (sw_bytes){bytes + 7, call.size - 7}, &options);
    } else if (starts(call, PACK("\x92\xa5later\x91"))) {
        sw_exchange_reply(exchange, (sw_bytes){bytes + 8, call.size - 8}, &options);
    } else if (starts(call, PACK("\x92\xa5"
                                 "count\x91")) &&
               call.size == 9) {
        options.more = 1;
        for (unsigned char n = 0; n < bytes[8]; ++n) sw_exchange_reply(exchange, (sw_bytes){&n, 1}, &options);
        sw_exchange_status(exchange, 0, text("")); /* the end of many */
    } else if (starts(call, PACK("\x92\xa6refuse\x90"))) {
        sw_status_options with;
        sw_status_options_init(&with);
        with.details_type = SW_BODY_MESSAGEPACK;
        with.details = PACK("\x81\xa4left\xc4\x02\x00\x01");
        sw_exchange_status_with(exchange, 77, text("no"), &with);
    } else if (starts(call, PACK("\x92\xa5notes\x90"))) {
        sw_exchange_reply(exchange, noted ? PACK("\x91\xa5noted") : PACK("\x90"), &options);
    } else {
        sw_exchange_status(exchange, 4095, text("no such function is exposed"));
    }
}

static void keep(sw_bytes body) {
    if (body.size > sizeof got - got_size) body.size = sizeof got - got_size;
    if (body.size > 0) memcpy(got + got_size, body.data, body.size);
    got_size += body.size;
}

static void on_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_LISTENING) {
        printf("%.*s\n", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        fflush(stdout);
    } else if (event->type == SW_EVENT_PEER_CONNECTED) {
        sem_post(&ready);
    } else if (event->type == SW_EVENT_REPLY) {
        keep(event->as.message.body);
    } else if (event->type == SW_EVENT_DONE && event->user) {
        const sw_event_done *done = &event->as.done;
        got_code = done->code;
        keep(done->result == SW_OK ? done->body : done->details);
        sem_post(&ended);
    }
}

static int call(sw_peer peer, sw_bytes body, uint32_t expects) {
    sw_request_options options;
    sw_request_options_init(&options);
    options.type = SW_BODY_MESSAGEPACK;
    options.expects = expects;
    options.user = &options;
    got_size = got_code = 0;
    return sw_peer_request(peer, text("rpc"), body, &options, NULL) == SW_OK && sem_wait(&ended) == 0;
}

static void compare(const char *name, int called, uint32_t code, sw_bytes expected) {
    if (called && got_code == code && got_size == expected.size && memcmp(got, expected.data, got_size) == 0) return;
    printf("%s: status %u, %zu bytes:", name, (unsigned)got_code, got_size);
    for (size_t i = 0; i < got_size; ++i) printf(" %02x", (unsigned char)got[i]);
    printf("\n");
}

static void call_all(sw_peer peer) {
    sw_send_options options;
    compare("add",
            call(peer,
                 PACK("\x92\xa8"
                      "math.add\x92\x01\x02"),
                 1),
            0, PACK("\x03"));
    compare("echo",
            call(peer,
                 PACK("\x92\xa4"
                      "echo\x91\xc4\x02\x00\xff"),
                 1),
            0, PACK("\xc4\x02\x00\xff"));
    compare("later", call(peer, PACK("\x92\xa5later\x91\xa4text"), 1), 0, PACK("\xa4text"));
    compare("count",
            call(peer,
                 PACK("\x92\xa5"
                      "count\x91\x03"),
                 SW_EXPECTS_MANY),
            0, PACK("\x00\x01\x02"));
    compare("refuse", call(peer, PACK("\x92\xa6refuse\x90"), 1), 77, PACK("\x81\xa4left\xc4\x02\x00\x01"));
    compare("missing", call(peer, PACK("\x92\xa8math.sub\x92\x01\x02"), 1), 4095, PACK(""));
    sw_send_options_init(&options);
    options.type = SW_BODY_MESSAGEPACK;
    sw_peer_send(peer, text("rpc"), PACK("\x92\xa4note\x91\xa5noted"), &options);
    compare("notes", call(peer, PACK("\x92\xa5notes\x90"), 1), 0, PACK("\x91\xa5noted"));
    printf("compared 7\n");
}

int main(int argc, char **argv) {
    sw_node_options options;
    sw_node node;
    sw_peer peer;
    sw_listener listener;
    sem_init(&ready, 0, 0);
    sem_init(&ended, 0, 0);
    sw_node_options_init(&options);
    options.network = text("rpc");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    if (sw_node_open(&options, &node) != SW_OK) return 1;
    sw_node_route(node, text("rpc"), on_call, NULL);
    if (argc > 1) {
        if (sw_node_connect(node, text(argv[1]), NULL, &peer) != SW_OK) return 1;
        sem_wait(&ready);
        call_all(peer);
    } else {
        sw_node_listen(node, text("tcp://127.0.0.1:0"), NULL, &listener);
        while (getchar() != EOF) {} /* as long as standard input is open */
    }
    return sw_node_close(node, 0, NULL) != SW_OK;
}
