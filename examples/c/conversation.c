/* Conversation: while a request runs, either side asks and is answered. */
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

static sem_t listening, ended;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static char item[32], size[32]; /* what is ordered: of the one order that there is */

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }
static sw_bytes bytes(const char *words) { return (sw_bytes){words, strlen(words)}; }

static void keep(char out[32], sw_bytes body) { snprintf(out, 32, "%.*s", (int)body.size, (const char *)body.data); }

static void say(const char *what, sw_bytes body) {
    printf("%s: %.*s\n", what, (int)body.size, (const char *)body.data);
}

/* The handler asks first, and answers what the customer asks. */
static void on_server_event(const sw_event *event, void *user) {
    (void)user;
    sw_question question;
    if (event->type == SW_EVENT_LISTENING) {
        snprintf(ticket, sizeof ticket, "%.*s", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        sem_post(&listening);
    } else if (event->type == SW_EVENT_MESSAGE) {
        keep(item, event->as.message.body);
        sw_exchange_ask(event->as.message.exchange, bytes("which size?"), NULL, &question);
    } else if (event->type == SW_EVENT_ANSWER) {
        keep(size, event->as.answer.body);
    } else if (event->type == SW_EVENT_QUESTION) {
        char reply[80];
        sw_question_answer(event->as.message.question, bytes("3"), NULL, NULL);
        snprintf(reply, sizeof reply, "%s, %s, 3", item, size);
        sw_exchange_reply(event->as.message.exchange, bytes(reply), NULL); /* which ends it */
    }
}

static void on_client_event(const sw_event *event, void *user) {
    (void)user;
    sw_question question;
    if (event->type == SW_EVENT_QUESTION) {
        say("asked", event->as.message.body);
        sw_question_answer(event->as.message.question, bytes("large"), NULL, NULL);
        sw_exchange_ask(event->as.message.exchange, bytes("how much is it?"), NULL, &question);
    } else if (event->type == SW_EVENT_ANSWER) {
        say("told", event->as.answer.body);
    } else if (event->type == SW_EVENT_DONE) {
        say("reply", event->as.done.body);
        sem_post(&ended);
    }
}

static sw_node open_node(sw_event_fn on_event) {
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
    sw_node server = open_node(on_server_event), client = open_node(on_client_event);
    sw_node_route(server, text("order"), NULL, NULL);
    sw_listener listener;
    sw_node_listen(server, text("tcp://127.0.0.1:0"), NULL, &listener);
    sem_wait(&listening);

    sw_peer peer;
    sw_request_options options;
    sw_request_options_init(&options);
    options.converse = 1;
    sw_node_connect(client, text(ticket), NULL, &peer);
    if (sw_peer_request(peer, text("order"), bytes("tea"), &options, NULL) != SW_OK) {
        fprintf(stderr, "request: %s\n", sw_error_detail());
        return 1;
    }
    sem_wait(&ended);
    sw_node_close(client, 2000, NULL);
    return sw_node_close(server, 2000, NULL) == SW_OK ? 0 : 1;
}
