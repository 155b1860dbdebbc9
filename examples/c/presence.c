/* Presence: who has joined a topic, and who comes and goes; here nothing is published at all. */
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }

/* ---- The server; all of it runs on its node's thread ---- */

#define PEOPLE 8

static sem_t listening, told;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static struct {
    sw_peer peer;
    char name[32]; /* that came with the handshake */
    int here;
} people[PEOPLE];

static int place_of(sw_peer peer) {
    for (int i = 0; i < PEOPLE; ++i) {
        if (people[i].peer.value == peer.value) return i;
    }
    return -1;
}

static void come(sw_peer peer, sw_bytes name) {
    const int i = place_of((sw_peer){0});
    if (i < 0) return;
    people[i].peer = peer;
    snprintf(people[i].name, sizeof people[i].name, "%.*s", (int)name.size, (const char *)name.data);
}

static void change(sw_peer peer, int here) {
    const int who = place_of(peer);
    if (who < 0) return;
    people[who].here = here;
    printf("%s %s: ", people[who].name, here ? "is here" : "has gone");
    const char *separator = "";
    for (int i = 0; i < PEOPLE; ++i) {
        if (people[i].here) printf("%s%s", separator, people[i].name), separator = ", ";
    }
    printf("%s\n", separator[0] ? "" : "nobody");
    sem_post(&told);
}

static void on_server_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_LISTENING) {
        snprintf(ticket, sizeof ticket, "%.*s", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        sem_post(&listening);
    } else if (event->type == SW_EVENT_PEER_CONNECTED) {
        come(event->peer, event->as.connected.data);
    } else if (event->type == SW_EVENT_TOPIC_MEMBER_JOINED) {
        change(event->peer, 1);
    } else if (event->type == SW_EVENT_TOPIC_MEMBER_LEFT) {
        change(event->peer, 0);
    }
}

/* ---- Somebody who is connected to the server ---- */

typedef struct person {
    sw_node node;
    sw_topic topic;
    sem_t connected, joined;
} person;

static void on_person_event(const sw_event *event, void *user) {
    person *self = user;
    if (event->type == SW_EVENT_PEER_CONNECTED) sem_post(&self->connected);
    if (event->type == SW_EVENT_TOPIC_JOINED) sem_post(&self->joined);
}

static void arrive(person *self, const char *name) {
    sw_node_options options;
    sw_connect_options connecting;
    sw_peer peer;
    sw_node_options_init(&options);
    sw_connect_options_init(&connecting);
    options.network = text("example");
    options.on_event = on_person_event;
    options.user = self;
    connecting.data = (sw_bytes){name, strlen(name)};
    sem_init(&self->connected, 0, 0);
    sem_init(&self->joined, 0, 0);
    sw_node_open(&options, &self->node);
    sw_node_connect(self->node, text(ticket), &connecting, &peer);
    sem_wait(&self->connected);
}

/* Returns when the server has told of it. */
static void join(person *self) {
    sw_topic_join(self->node, text("room"), NULL, &self->topic);
    sem_wait(&self->joined);
    sem_wait(&told);
}

static uint32_t print_member(const sw_member *member, void *servers) {
    printf("Bob sees %s\n", memcmp(&member->id, servers, sizeof member->id) == 0 ? "the server" : "somebody else");
    return 0;
}

int main(void) {
    sw_node server = {0};
    sw_listener listener;
    sw_node_options options;
    sw_topic room;
    person ada, bob;
    sw_peer_id servers;
    sem_init(&listening, 0, 0);
    sem_init(&told, 0, 0);
    sw_node_options_init(&options);
    options.network = text("example");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_server_event;
    if (sw_node_open(&options, &server) != SW_OK ||
        sw_node_listen(server, text("tcp://127.0.0.1:0"), NULL, &listener) != SW_OK) {
        fprintf(stderr, "%s\n", sw_error_detail());
        return 1;
    }
    sem_wait(&listening);
    sw_topic_join(server, text("room"), NULL, &room);
    arrive(&ada, "Ada");
    arrive(&bob, "Bob");
    join(&ada);
    join(&bob);
    sw_node_id(server, &servers);
    sw_topic_each_member(bob.topic, print_member, &servers); /* those that he is connected with */
    sw_topic_leave(ada.topic);
    sem_wait(&told);
    join(&ada);
    sw_node_close(bob.node, 2000, NULL);
    sem_wait(&told);
    sw_node_close(ada.node, 2000, NULL);
    sem_wait(&told);
    return sw_node_close(server, 2000, NULL) != SW_OK;
}
