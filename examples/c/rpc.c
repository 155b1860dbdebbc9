/* Procedure calls: functions and objects by name, many results, and errors with details; in JSON (docs/RPC.md). */
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

enum { kNoFunction = 4095, kBadCall = 4094 };

static sem_t listening, ended;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static int counter, balance = 10;

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }

static void answer(sw_exchange exchange, int result, int more) {
    char json[16];
    const int size = snprintf(json, sizeof json, "%d", result);
    sw_send_options options;
    sw_send_options_init(&options);
    options.type = SW_BODY_JSON;
    options.more = (uint32_t)more;
    sw_exchange_reply(exchange, (sw_bytes){json, (size_t)size}, &options);
}

static void refuse(sw_exchange exchange, uint32_t code, const char *words, const char *json) {
    sw_status_options options;
    sw_status_options_init(&options);
    options.details = (sw_bytes){json, strlen(json)};
    options.details_type = SW_BODY_JSON;
    sw_exchange_status_with(exchange, code, text(words), &options);
}

/* ["name",[1,2]]: a real program has a JSON library of its own, and a table of its functions. */
static void on_call(const sw_event *event, void *user) {
    const sw_exchange exchange = event->as.message.exchange;
    const sw_bytes body = event->as.message.body;
    char call[128], name[64], words[128], details[64];
    int a = 0, b = 0, n;
    (void)user;
    snprintf(call, sizeof call, "%.*s", (int)body.size, (const char *)body.data);
    n = sscanf(call, "[\"%63[^\"]\",[%d,%d", name, &a, &b);
    if (event->as.message.type != SW_BODY_JSON || n < 2) {
        refuse(exchange, kBadCall, "this program reads calls in JSON", "");
    } else if (strcmp(name, "math.add") == 0) {
        answer(exchange, a + b, 0);
    } else if (strcmp(name, "counter.add") == 0) {
        answer(exchange, counter += a, 0);
    } else if (strcmp(name, "count") == 0 && event->as.message.expects == SW_EXPECTS_MANY) {
        for (int i = 0; i < a; ++i) answer(exchange, i, 1);
        sw_exchange_status(exchange, 0, text(""));
    } else if (strcmp(name, "account.pay") == 0 && a > balance) {
        snprintf(details, sizeof details, "{\"balance\":%d}", balance);
        refuse(exchange, 64, "too much", details);
    } else if (strcmp(name, "account.pay") == 0) {
        answer(exchange, balance -= a, 0);
    } else {
        snprintf(words, sizeof words, "no function %s is exposed", name);
        refuse(exchange, kNoFunction, words, "");
    }
}

static void on_event(const sw_event *event, void *user) {
    const char *name = event->user;
    (void)user;
    if (event->type == SW_EVENT_LISTENING) {
        snprintf(ticket, sizeof ticket, "%.*s", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        sem_post(&listening);
    } else if (event->type == SW_EVENT_REPLY) {
        const sw_bytes body = event->as.message.body;
        printf("%s: %.*s\n", name, (int)body.size, (const char *)body.data);
    } else if (event->type == SW_EVENT_DONE && name) {
        const sw_event_done *done = &event->as.done;
        if (done->result == SW_ERR_STATUS) {
            printf("%s: status %u, %.*s%s%.*s\n", name, (unsigned)done->code, (int)done->text.size, done->text.data,
                   done->details.size ? ", " : "", (int)done->details.size, (const char *)done->details.data);
        } else if (done->has_body) {
            printf("%s: %.*s\n", name, (int)done->body.size, (const char *)done->body.data);
        }
        sem_post(&ended);
    }
}

static void call(sw_peer peer, const char *name, const char *arguments, uint32_t expects) {
    char json[128];
    const int size = snprintf(json, sizeof json, "[\"%s\",[%s]]", name, arguments);
    sw_request_options options;
    sw_request_options_init(&options);
    options.type = SW_BODY_JSON;
    options.expects = expects;
    options.user = (void *)(uintptr_t)name;
    if (sw_peer_request(peer, text("rpc"), (sw_bytes){json, (size_t)size}, &options, NULL) == SW_OK) sem_wait(&ended);
}

static sw_node open_node(void) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.network = text("example");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    sw_node node = {0};
    sw_node_open(&options, &node);
    return node;
}

int main(void) {
    sem_init(&listening, 0, 0);
    sem_init(&ended, 0, 0);
    sw_node server = open_node(), client = open_node();
    sw_node_route(server, text("rpc"), on_call, NULL);
    sw_listener listener;
    sw_node_listen(server, text("tcp://127.0.0.1:0"), NULL, &listener);
    sem_wait(&listening);

    sw_peer peer;
    if (sw_node_connect(client, text(ticket), NULL, &peer) != SW_OK) {
        fprintf(stderr, "connect: %s\n", sw_error_detail());
        return 1;
    }
    call(peer, "math.add", "1,2", SW_EXPECTS_ONE);
    call(peer, "counter.add", "2", SW_EXPECTS_ONE);
    call(peer, "counter.add", "3", SW_EXPECTS_ONE);
    call(peer, "count", "3", SW_EXPECTS_MANY);
    call(peer, "account.pay", "11", SW_EXPECTS_ONE);
    call(peer, "math.sub", "1,2", SW_EXPECTS_ONE);
    sw_node_close(client, 2000, NULL);
    return sw_node_close(server, 2000, NULL) == SW_OK ? 0 : 1;
}
