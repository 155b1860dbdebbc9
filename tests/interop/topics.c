/* A topic that is shared with a program of another language: topics [TICKET] */
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sw_node node;
static sw_topic topic;
static sem_t connected, joined, asked, came;
static struct {
    sw_bytes body;
    uint32_t type, last_value;
    uint64_t dropped;
    sw_peer_id id;
} last; /* message; its body belongs to this */
static int serves, members;

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }

static void on_message(const sw_event_topic_message *message, sw_peer peer) {
    if (serves) {
        sw_publish_options options;
        sw_publish_options_init(&options);
        options.type = message->type;
        options.to = peer;
        sw_topic_publish(topic, message->body, &options);
        return;
    }
    sem_wait(&asked);
    void *copy = malloc(message->body.size + 1);
    if (copy && message->body.size) memcpy(copy, message->body.data, message->body.size);
    free((void *)last.body.data);
    last.body = (sw_bytes){copy, message->body.size};
    last.type = message->type;
    last.last_value = message->last_value;
    last.dropped = message->dropped;
    last.id = message->id;
    sem_post(&came);
}

static void on_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_LISTENING) {
        printf("%.*s\n", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        fflush(stdout);
    }
    if (event->type == SW_EVENT_PEER_CONNECTED || event->type == SW_EVENT_PEER_CLOSED) sem_post(&connected);
    if (event->type == SW_EVENT_TOPIC_JOINED) sem_post(&joined);
    if (event->type == SW_EVENT_TOPIC_MESSAGE) on_message(&event->as.topic_message, event->peer);
}

static uint32_t count(const sw_member *member, void *user) {
    (void)user;
    members += member->publisher ? 100 : 1;
    return 0;
}

static void next(void) {
    sem_post(&asked);
    sem_wait(&came);
}

static int is_last(sw_bytes body, uint32_t type) {
    return last.body.size == body.size && (!body.size || memcmp(last.body.data, body.data, body.size) == 0) &&
           last.type == type && last.dropped == 0;
}

static int compare(const char *ticket) {
    static char large[100000];
    for (size_t i = 0; i < sizeof large; ++i) large[i] = "large"[i % 5];
    const struct {
        sw_bytes body;
        uint32_t type;
    } bodies[] = {{{"text: Gr\xc3\xbc\xc3\x9f"
                    "e",
                    13},
                   SW_BODY_UTF8},
                  {{"{\"two\":[2,null]}", 16}, SW_BODY_JSON},
                  {{"\0\xff bytes", 8}, SW_BODY_BYTES},
                  {{NULL, 0}, SW_BODY_BYTES},
                  {{large, sizeof large}, SW_BODY_BYTES},
                  {{"\x81\xa3one\x01", 6}, SW_BODY_MESSAGEPACK}};
    const int bodies_count = (int)(sizeof bodies / sizeof *bodies);
    sw_peer peer;
    sw_peer_id id;
    sw_topic_options options;
    if (sw_node_connect(node, text(ticket), NULL, &peer) != SW_OK) return 1;
    sem_wait(&connected);
    sw_ticket_split(text(ticket), (char[SW_ADDRESS_TEXT_SIZE]){0}, &id);
    sw_topic_options_init(&options);
    options.want_last = 1;
    sw_topic_join(node, text("pairs"), &options, &topic);
    sem_wait(&joined);
    sw_topic_each_member(topic, count, NULL);
    if (members != 1) printf("members: %d\n", members);
    next();
    if (!is_last((sw_bytes){"kept", 4}, SW_BODY_UTF8) || !last.last_value || memcmp(&id, &last.id, sizeof id) != 0)
        printf("the last value: %.*s\n", (int)last.body.size, (const char *)last.body.data);
    for (int i = 0; i < bodies_count; ++i) {
        uint64_t whom = 0;
        sw_publish_options with;
        sw_publish_options_init(&with);
        with.type = bodies[i].type;
        with.members = &whom;
        if (sw_topic_publish(topic, bodies[i].body, &with) != SW_OK || whom != 1) printf("not for one member\n");
        next();
        if (!is_last(bodies[i].body, bodies[i].type) || last.last_value) printf("body %d is another one\n", i);
    }
    printf("compared %d\n", bodies_count + 2);
    return 0;
}

int main(int argc, char **argv) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.network = text("topics");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    sem_init(&connected, 0, 0);
    sem_init(&joined, 0, 0);
    sem_init(&asked, 0, 0);
    sem_init(&came, 0, 0);
    serves = argc < 2;
    if (sw_node_open(&options, &node) != SW_OK) return 1;
    int failed = 0;
    if (serves) {
        sw_listener listener;
        sw_topic_options keeping;
        sw_publish_options with;
        sw_topic_options_init(&keeping);
        keeping.keep_last = 1;
        sw_topic_join(node, text("pairs"), &keeping, &topic);
        sw_publish_options_init(&with);
        with.type = SW_BODY_UTF8;
        sw_topic_publish(topic, (sw_bytes){"kept", 4}, &with);
        sw_node_listen(node, text("tcp://127.0.0.1:0"), NULL, &listener);
        getchar();
    } else {
        failed = compare(argv[1]);
    }
    sw_node_close(node, 2000, NULL);
    return failed;
}
