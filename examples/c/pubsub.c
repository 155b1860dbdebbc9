/* Pubsub: what is published to a topic goes to all who have joined it; the last message also to who joins later and wants it. */
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }

/* ---- Who publishes ---- */

static sem_t listening, left;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static sw_topic weather;

static void on_station_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_LISTENING) {
        snprintf(ticket, sizeof ticket, "%.*s", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        sem_post(&listening);
    } else if (event->type == SW_EVENT_TOPIC_MEMBER_LEFT) {
        sem_post(&left);
    }
}

static uint32_t is_whom(const sw_member *member, void *user) {
    return memcmp(&member->id, user, sizeof member->id) == 0;
}

/* For how many members it is; only for the one that is said, if one is. */
static int publish(const char *words, sw_peer_id *whom) {
    uint64_t members = 0;
    sw_publish_options options;
    sw_publish_options_init(&options);
    options.type = SW_BODY_UTF8;
    options.members = &members;
    options.filter = whom ? is_whom : NULL;
    options.filter_user = whom;
    const sw_result result = sw_topic_publish(weather, (sw_bytes){words, strlen(words)}, &options);
    if (result != SW_OK) fprintf(stderr, "%s\n", sw_result_text(result));
    return (int)members;
}

/* ---- Who reads ---- */

typedef struct reader {
    const char *name;
    sw_node node;
    sw_topic topic;
    sem_t connected, joined, came;
    char text[64]; /* of the last message */
    int last_value;
} reader;

static void on_reader_event(const sw_event *event, void *user) {
    reader *self = user;
    if (event->type == SW_EVENT_PEER_CONNECTED) {
        sem_post(&self->connected);
    } else if (event->type == SW_EVENT_TOPIC_JOINED) {
        sem_post(&self->joined);
    } else if (event->type == SW_EVENT_TOPIC_MESSAGE) {
        const sw_event_topic_message *message = &event->as.topic_message;
        snprintf(self->text, sizeof self->text, "%.*s", (int)message->body.size, (const char *)message->body.data);
        self->last_value = (int)message->last_value;
        sem_post(&self->came);
    }
}

static void arrive(reader *self, const char *name) {
    sw_peer peer;
    sw_node_options options;
    sw_node_options_init(&options);
    options.network = text("example");
    options.on_event = on_reader_event;
    options.user = self;
    self->name = name;
    sem_init(&self->connected, 0, 0);
    sem_init(&self->joined, 0, 0);
    sem_init(&self->came, 0, 0);
    sw_node_open(&options, &self->node);
    sw_node_connect(self->node, text(ticket), NULL, &peer);
    sem_wait(&self->connected);
}

/* Returns when the station was told: nothing is missed from there on. */
static void join(reader *self, uint32_t want_last) {
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.want_last = want_last;
    sw_topic_join(self->node, text("weather"), &options, &self->topic);
    sem_wait(&self->joined);
}

static void read_one(reader *self) {
    sem_wait(&self->came);
    printf("%s reads: %s%s\n", self->name, self->text, self->last_value ? ", from before" : "");
}

int main(void) {
    sw_node station = {0};
    sw_listener listener;
    sw_node_options options;
    sw_topic_options keeping;
    reader ada, bob;
    sw_peer_id bobs;
    sem_init(&listening, 0, 0);
    sem_init(&left, 0, 0);
    sw_node_options_init(&options);
    options.network = text("example");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_station_event;
    if (sw_node_open(&options, &station) != SW_OK ||
        sw_node_listen(station, text("tcp://127.0.0.1:0"), NULL, &listener) != SW_OK) {
        fprintf(stderr, "%s\n", sw_error_detail());
        return 1;
    }
    sem_wait(&listening);
    sw_topic_options_init(&keeping);
    keeping.keep_last = 1;
    sw_topic_join(station, text("weather"), &keeping, &weather);

    printf("rain: for %d\n", publish("rain", NULL));
    arrive(&ada, "Ada");
    arrive(&bob, "Bob");
    join(&ada, 1);
    read_one(&ada);
    printf("sun: for %d\n", publish("sun", NULL));
    read_one(&ada);
    join(&bob, 0);
    printf("wind: for %d\n", publish("wind", NULL));
    read_one(&ada);
    read_one(&bob);
    sw_node_id(bob.node, &bobs);
    publish("storm in his street", &bobs);
    read_one(&bob);
    sw_topic_leave(ada.topic);
    sem_wait(&left);
    printf("night: for %d\n", publish("night", NULL));
    read_one(&bob);

    sw_node_close(ada.node, 2000, NULL);
    sw_node_close(bob.node, 2000, NULL);
    return sw_node_close(station, 2000, NULL) != SW_OK;
}
