/* Chat: a server relays what is said in a room, which is a route, to the others there.
 *
 *   chat                     a server and three who talk, in one program
 *   chat serve [ADDRESS]     a server; prints its ticket
 *   chat TICKET NAME ROOM    what is typed is said; talks with the programs in Python and Node.js, too
 */
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS 64

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }
static sw_bytes bytes(const char *words) { return (sw_bytes){words, strlen(words)}; }
static void keep(char *out, size_t size, sw_bytes words) {
    snprintf(out, size, "%.*s", (int)words.size, (const char *)words.data);
}

/* ---- The server; all of it runs on its node's thread ---- */

static sem_t listening; /* or it does not, and the ticket is empty; again when it does no more */
static char ticket[SW_ADDRESS_TEXT_SIZE];
static struct {
    sw_peer peer;
    char name[2049]; /* that came with the handshake: 2 KiB at most */
} people[MEMBERS];
static struct {
    sw_peer peer;
    char room[256]; /* as long as routes may be */
} members[MEMBERS];

static const char *name_of(sw_peer peer) {
    for (int i = 0; i < MEMBERS; ++i) {
        if (people[i].peer.value == peer.value) return people[i].name;
    }
    return "?";
}

static void come(sw_peer peer, sw_bytes name) {
    for (int i = 0; i < MEMBERS; ++i) {
        if (people[i].peer.value != 0) continue;
        people[i].peer = peer;
        keep(people[i].name, sizeof people[i].name, name);
        return;
    }
}

static void go(sw_peer peer) {
    for (int i = 0; i < MEMBERS; ++i) {
        if (people[i].peer.value == peer.value) people[i].peer.value = 0;
        if (members[i].peer.value == peer.value) members[i].peer.value = 0;
    }
}

static void join(const sw_event_message *request, sw_peer peer) {
    char room[256], count[16];
    int free_place = -1, own_place = -1, there = 0;
    keep(room, sizeof room, request->body);
    for (int i = 0; i < MEMBERS; ++i) {
        if (members[i].peer.value == 0) {
            free_place = i;
        } else if (strcmp(members[i].room, room) == 0) {
            ++there;
            if (members[i].peer.value == peer.value) own_place = i;
        }
    }
    if (own_place < 0) {
        if (free_place < 0) {
            sw_exchange_status(request->exchange, 64, text("there is no room left"));
            return;
        }
        members[free_place].peer = peer;
        memcpy(members[free_place].room, room, sizeof room);
        ++there;
    }
    snprintf(count, sizeof count, "%d", there);
    sw_exchange_reply(request->exchange, bytes(count), NULL);
}

static void relay(const sw_event_message *message, sw_peer from) {
    const char *name = name_of(from);
    const size_t before = strlen(name) + 2;
    char room[256], *words = malloc(before + 1 + message->body.size);
    if (words == NULL) return;
    snprintf(room, sizeof room, "%.*s", (int)message->route.size, message->route.data);
    snprintf(words, before + 1, "%s: ", name);
    if (message->body.size > 0) memcpy(words + before, message->body.data, message->body.size);
    for (int i = 0; i < MEMBERS; ++i) {
        const sw_peer peer = members[i].peer;
        if (peer.value == 0 || peer.value == from.value || strcmp(members[i].room, room) != 0) continue;
        /* Who does not keep up misses it. */
        sw_peer_send(peer, message->route, (sw_bytes){words, before + message->body.size}, NULL);
    }
    free(words);
}

static void on_server_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_LISTENING) {
        snprintf(ticket, sizeof ticket, "%.*s", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        sem_post(&listening);
    } else if (event->type == SW_EVENT_LISTENER_CLOSED && event->as.closed.result != SW_OK) {
        fprintf(stderr, "%s: %.*s\n", sw_result_text(event->as.closed.result), (int)event->as.closed.detail.size,
                event->as.closed.detail.data);
        sem_post(&listening);
    } else if (event->type == SW_EVENT_PEER_CONNECTED) {
        come(event->peer, event->as.connected.data);
    } else if (event->type == SW_EVENT_PEER_CLOSED) {
        go(event->peer);
    } else if (event->type == SW_EVENT_MESSAGE) {
        if (event->as.message.expects) join(&event->as.message, event->peer);
        else relay(&event->as.message, event->peer);
    }
}

static sw_node serve(const char *address) {
    sw_node_options options;
    sw_node node = {0};
    sw_listener listener;
    sw_node_options_init(&options);
    options.network = text("chat");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_server_event;
    sem_init(&listening, 0, 0);
    sw_node_open(&options, &node);
    sw_node_route(node, text("join"), NULL, NULL);
    sw_node_route(node, text(""), NULL, NULL); /* every other route is a room */
    if (sw_node_listen(node, text(address), NULL, &listener) != SW_OK) fprintf(stderr, "%s\n", sw_error_detail());
    else sem_wait(&listening);
    return node;
}

/* ---- Somebody who is connected to the server ---- */

typedef struct person {
    const char *name, *room; /* that is joined now */
    sw_node node;
    sw_peer peer;
    sem_t joined, heard, told;
    sw_result outcome; /* of what was said last */
} person;

static void on_person_event(const sw_event *event, void *user) {
    person *self = user;
    if (event->type == SW_EVENT_MESSAGE) {
        const sw_event_message *message = &event->as.message;
        printf("%s hears in %.*s: %.*s\n", self->name, (int)message->route.size, message->route.data,
               (int)message->body.size, (const char *)message->body.data);
        fflush(stdout);
        sem_post(&self->heard);
    } else if (event->type == SW_EVENT_DONE) {
        const sw_event_done *done = &event->as.done;
        if (done->result != SW_OK) printf("%s does not join: %s\n", self->name, sw_result_text(done->result));
        else
            printf("%s joins %s: %.*s there\n", self->name, self->room, (int)done->body.size,
                   (const char *)done->body.data);
        fflush(stdout);
        sem_post(&self->joined);
    } else if (event->type == SW_EVENT_RECEIPT) {
        self->outcome = event->as.receipt.result;
        sem_post(&self->told);
    }
}

static void join_room(person *self, const char *room) {
    self->room = room;
    if (sw_peer_request(self->peer, text("join"), bytes(room), NULL, NULL) == SW_OK) sem_wait(&self->joined);
}

static void arrive(person *self, const char *name, const char *to, const char *room) {
    sw_node_options options;
    sw_connect_options connecting;
    sw_node_options_init(&options);
    sw_connect_options_init(&connecting);
    options.network = text("chat");
    options.on_event = on_person_event;
    options.user = self;
    connecting.data = bytes(name);
    self->name = name;
    sem_init(&self->joined, 0, 0);
    sem_init(&self->heard, 0, 0);
    sem_init(&self->told, 0, 0);
    sw_node_open(&options, &self->node);
    sw_node_route(self->node, text(""), NULL, NULL);
    if (sw_node_connect(self->node, text(to), &connecting, &self->peer) != SW_OK)
        fprintf(stderr, "%s\n", sw_error_detail());
    join_room(self, room);
}

/* Waits until the server has taken it. */
static int say(person *self, const char *room, const char *words) {
    sw_send_options options;
    sw_send_options_init(&options);
    options.receipt = SW_RECEIPT_ACKNOWLEDGED;
    options.type = SW_BODY_UTF8;
    sw_result result = sw_peer_send(self->peer, text(room), bytes(words), &options);
    if (result == SW_OK) {
        sem_wait(&self->told);
        result = self->outcome;
    }
    if (result != SW_OK) fprintf(stderr, "%s\n", sw_result_text(result));
    return result != SW_OK;
}

int main(int argc, char **argv) {
    if (argc == 4) {
        char *line = NULL;
        size_t room_for = 0;
        int failed = 0;
        person self;
        arrive(&self, argv[2], argv[1], argv[3]);
        while (!failed && getline(&line, &room_for, stdin) >= 0) {
            line[strcspn(line, "\n")] = 0;
            failed = say(&self, argv[3], line);
        }
        free(line);
        return sw_node_close(self.node, 2000, NULL) != SW_OK || failed;
    }
    sw_node server = serve(argc > 2 ? argv[2] : "tcp://127.0.0.1:0");
    if (argc > 1 && ticket[0]) {
        printf("%s\n", ticket);
        fflush(stdout);
        sem_wait(&listening); /* until it is interrupted, or listens no more */
    }
    if (argc > 1 || !ticket[0]) {
        sw_node_close(server, 2000, NULL);
        return 1;
    }
    person ada, bob, eve;
    arrive(&ada, "Ada", ticket, "tea");
    arrive(&bob, "Bob", ticket, "tea");
    join_room(&bob, "music");
    arrive(&eve, "Eve", ticket, "music");
    say(&ada, "tea", "hello");
    sem_wait(&bob.heard);
    say(&bob, "tea", "hi Ada");
    sem_wait(&ada.heard);
    say(&bob, "music", "a song?");
    sem_wait(&eve.heard);
    sw_node_close(ada.node, 2000, NULL);
    sw_node_close(bob.node, 2000, NULL);
    sw_node_close(eve.node, 2000, NULL);
    return sw_node_close(server, 2000, NULL) != SW_OK;
}
