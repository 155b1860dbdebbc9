/* Chat: who is in a room, which is a topic, hears what is said there; all meet at a hub, and nobody is connected to another.
 *
 *   chat                              a hub and three who talk, in one program
 *   chat hub [ADDRESS]                a hub; prints its ticket
 *   chat TICKET NAME ROOM [SECRET]    what is typed is said; talks with the programs in Python and Node.js, too. With the room's
 *                                     secret, at least 12 bytes, the hub reads nothing, and each line has the id that it is signed by
 *
 * Messages are "hello NAME", which each who is there answers by "here ITS-NAME: NAME", "say NAME: WORDS" and "bye NAME".
 */
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: chat | chat hub [ADDRESS] | chat TICKET NAME ROOM [SECRET]";
static const sw_bytes nothing = {NULL, 0};

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }
static sw_bytes bytes(const char *words) { return (sw_bytes){words, strlen(words)}; }

static void complain(sw_result result, sw_text detail) {
    fprintf(stderr, "%s: %.*s\n", sw_result_text(result), (int)detail.size, detail.data);
}

/* What became of a call that failed, and how to call this where that was an argument's fault; returns the exit status. */
static int explain(sw_result result) {
    complain(result, text(sw_error_detail()));
    if (result != SW_ERR_ARG && result != SW_ERR_ADDRESS && result != SW_ERR_KEY) return 1;
    fprintf(stderr, "%s\n", usage);
    return 2;
}

/* ---- The hub, which only passes on ---- */

static sem_t listening; /* or it does not, and the ticket is empty; again when it does no more */
static char ticket[SW_ADDRESS_TEXT_SIZE];

static void on_hub_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_LISTENING) {
        snprintf(ticket, sizeof ticket, "%.*s", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        sem_post(&listening);
    } else if (event->type == SW_EVENT_LISTENER_CLOSED && event->as.closed.result != SW_OK) {
        complain(event->as.closed.result, event->as.closed.detail);
        sem_post(&listening);
    }
}

static int open_hub(const char *address, sw_node *node) {
    sw_node_options options;
    sw_listener listener;
    sw_node_options_init(&options);
    options.network = text("chat");
    options.access = SW_ACCESS_ANYONE;
    options.hub = 1;
    options.on_event = on_hub_event;
    sem_init(&listening, 0, 0);
    sw_result result = sw_node_open(&options, node);
    if (result == SW_OK) result = sw_node_listen(*node, text(address), NULL, &listener);
    if (result != SW_OK) return explain(result);
    sem_wait(&listening);
    return !ticket[0];
}

/* ---- Somebody who is at the hub ---- */

typedef struct person {
    const char *name;
    sw_node node;
    sem_t connected; /* or it is not, and has gone */
    sem_t gone;
} person;

typedef struct room {
    person *who;
    const char *name;
    sw_topic topic;
    int proved; /* it has a secret, and messages are signed */
    sem_t joined, told;
} room;

/* Publishes "WHAT NAME: WORDS", or without words "WHAT NAME". */
static int put(room *self, const char *what, sw_bytes words) {
    const size_t size = strlen(what) + strlen(self->who->name) + words.size + 4;
    char *body = malloc(size);
    sw_publish_options options;
    if (body == NULL) return 1;
    sw_publish_options_init(&options);
    options.type = SW_BODY_UTF8;
    const size_t head = (size_t)snprintf(body, size, "%s %s%s", what, self->who->name, words.data ? ": " : "");
    if (words.size > 0) memcpy(body + head, words.data, words.size);
    const sw_result result = sw_topic_publish(self->topic, (sw_bytes){body, head + words.size}, &options);
    if (result != SW_OK) fprintf(stderr, "%s\n", sw_result_text(result));
    free(body);
    return result != SW_OK;
}

static void tell(room *self, const char *by, sw_bytes words, const char *what) {
    printf("[%s, %s] %s%.*s%s\n", self->who->name, self->name, by, (int)words.size, (const char *)words.data, what);
    fflush(stdout);
    sem_post(&self->told);
}

static void hear(room *self, const sw_event_topic_message *message) {
    const char *body = message->body.data;
    const char *space = message->body.size ? memchr(body, ' ', message->body.size) : NULL;
    char id[SW_PEER_ID_TEXT_SIZE], by[16] = "";
    if (space == NULL) return;
    const size_t kind = (size_t)(space - body), own = strlen(self->who->name);
    sw_bytes rest = {space + 1, message->body.size - kind - 1};
    if (self->proved && sw_peer_id_text(&message->id, id) == SW_OK) snprintf(by, sizeof by, "%.8s ", id);
    if (kind == 3 && memcmp(body, "say", kind) == 0) {
        tell(self, by, rest, "");
    } else if (kind == 5 && memcmp(body, "hello", kind) == 0) {
        tell(self, by, rest, " has come");
        put(self, "here", rest);
    } else if (kind == 4 && memcmp(body, "here", kind) == 0 && rest.size > own + 2) {
        rest.size -= own + 2;
        if (memcmp(space + 1 + rest.size + 2, self->who->name, own) == 0) tell(self, by, rest, " is here");
    } else if (kind == 3 && memcmp(body, "bye", kind) == 0) {
        tell(self, by, rest, " has gone");
    }
}

static void on_person_event(const sw_event *event, void *user) {
    if (event->type == SW_EVENT_PEER_CONNECTED) {
        sem_post(&((person *)user)->connected);
    } else if (event->type == SW_EVENT_PEER_SUSPENDED) {
        fprintf(stderr, "the hub is out of reach\n");
    } else if (event->type == SW_EVENT_PEER_RESUMED) {
        fprintf(stderr, "the hub is back\n");
    } else if (event->type == SW_EVENT_PEER_CLOSED && event->as.closed.result != SW_OK) {
        complain(event->as.closed.result, event->as.closed.detail);
        sem_post(&((person *)user)->gone);
        sem_post(&((person *)user)->connected);
    } else if (event->type == SW_EVENT_TOPIC_JOINED) {
        sem_post(&((room *)event->user)->joined);
    } else if (event->type == SW_EVENT_TOPIC_MESSAGE) {
        hear(event->user, &event->as.topic_message);
    }
}

static int has_gone(person *self) {
    if (sem_trywait(&self->gone) != 0) return 0;
    sem_post(&self->gone);
    return 1;
}

static int arrive(person *self, const char *name, const char *to) {
    char address[SW_ADDRESS_TEXT_SIZE];
    sw_peer_id hub;
    sw_peer peer;
    sw_node_options options;
    sw_node_options_init(&options);
    options.network = text("chat");
    options.hubs = &hub; /* that is trusted to pass on messages */
    options.hubs_count = 1;
    options.on_event = on_person_event;
    options.user = self;
    self->name = name;
    sem_init(&self->connected, 0, 0);
    sem_init(&self->gone, 0, 0);
    self->node.value = 0;
    sw_result result = sw_ticket_split(text(to), address, &hub);
    if (result == SW_OK) result = sw_node_open(&options, &self->node);
    if (result == SW_OK) result = sw_node_connect(self->node, text(to), NULL, &peer);
    if (result != SW_OK) return explain(result);
    sem_wait(&self->connected);
    return has_gone(self);
}

/* Returns when all who are there hear what is said from now on. */
static int enter(room *self, person *who, const char *name, const char *passphrase) {
    char secret[SW_TOPIC_SECRET_TEXT_SIZE];
    sw_topic_options options;
    sw_topic_options_init(&options);
    options.user = self;
    self->who = who;
    self->name = name;
    self->proved = passphrase != NULL;
    sem_init(&self->joined, 0, 0);
    sem_init(&self->told, 0, 0);
    sw_result result = SW_OK;
    if (passphrase) {
        result = sw_topic_secret_from_passphrase(text(passphrase), text(name), secret);
        options.secret = text(secret);
    }
    if (result == SW_OK) result = sw_topic_join(who->node, text(name), &options, &self->topic);
    if (result != SW_OK) return explain(result);
    sem_wait(&self->joined);
    printf("[%s, %s] you are here\n", who->name, name);
    fflush(stdout);
    return put(self, "hello", nothing);
}

/* Returns 1 when not all that was said has come to the hub. */
static int depart(person *self) {
    sw_close_report report;
    memset(&report, 0, sizeof report);
    report.size = sizeof report;
    if (sw_node_close(self->node, 2000, &report) != SW_OK) return 1;
    const unsigned long long lost = report.not_sent + report.outcome_unknown;
    if (lost > 0) fprintf(stderr, "%llu of what was said may not have come\n", lost);
    return lost > 0;
}

static int talk(const char *to, const char *name, const char *room_name, const char *secret) {
    person self;
    room here;
    char *line = NULL;
    size_t room_for = 0;
    int failed = arrive(&self, name, to);
    if (!failed) failed = enter(&here, &self, room_name, secret);
    while (!failed && getline(&line, &room_for, stdin) >= 0) {
        line[strcspn(line, "\n")] = 0;
        failed = has_gone(&self) || put(&here, "say", bytes(line));
    }
    free(line);
    if (!failed) failed = put(&here, "bye", nothing);
    if (self.node.value != 0 && depart(&self) && !failed) failed = 1;
    return failed;
}

static void leave(room *self) {
    put(self, "bye", nothing);
    sw_topic_leave(self->topic);
}

int main(int argc, char **argv) {
    if (argc == 4 || argc == 5) return talk(argv[1], argv[2], argv[3], argv[4]);
    if (argc > 5 || (argc > 1 && strcmp(argv[1], "hub") != 0)) {
        fprintf(stderr, "these are not its arguments\n%s\n", usage);
        return 2;
    }
    sw_node hub = {0};
    int failed = open_hub(argc > 2 ? argv[2] : "tcp://127.0.0.1:0", &hub);
    if (argc > 1 && !failed) {
        printf("%s\n", ticket);
        fflush(stdout);
        sem_wait(&listening); /* until it is interrupted, or listens no more */
        failed = 1;
    }
    if (failed) {
        if (hub.value != 0) sw_node_close(hub, 2000, NULL);
        return failed;
    }
    person ada, bob, eve;
    room tea_of_ada, tea_of_bob, music_of_bob, music_of_eve;
    arrive(&ada, "Ada", ticket);
    arrive(&bob, "Bob", ticket);
    arrive(&eve, "Eve", ticket);
    enter(&tea_of_ada, &ada, "tea", NULL);
    enter(&tea_of_bob, &bob, "tea", NULL);
    sem_wait(&tea_of_ada.told); /* that he has come */
    sem_wait(&tea_of_bob.told); /* that she is here */
    enter(&music_of_bob, &bob, "music", NULL);
    enter(&music_of_eve, &eve, "music", NULL);
    sem_wait(&music_of_bob.told);
    sem_wait(&music_of_eve.told);
    put(&tea_of_ada, "say", bytes("hello"));
    sem_wait(&tea_of_bob.told);
    put(&tea_of_bob, "say", bytes("hi Ada"));
    sem_wait(&tea_of_ada.told);
    put(&music_of_bob, "say", bytes("a song?"));
    sem_wait(&music_of_eve.told);
    leave(&tea_of_ada);
    sem_wait(&tea_of_bob.told);
    leave(&music_of_bob);
    sem_wait(&music_of_eve.told);
    const int lost = depart(&ada) + depart(&bob) + depart(&eve);
    return sw_node_close(hub, 2000, NULL) != SW_OK || lost;
}
