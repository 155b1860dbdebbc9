/* Uses libsealwire.so by dlopen only: opens it, talks, closes it, opens it again; and ends with a node left open. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sealwire/sealwire.h"
#include "support/tap.h"

/* The functions used, as pointers of the header's own types. */
/* clang-format off */
#define USED(X) \
    X(sw_version) X(sw_abi_version) X(sw_node_open) X(sw_node_listen) X(sw_node_id) \
    X(sw_node_connect) X(sw_node_route) X(sw_peer_request) X(sw_exchange_reply) X(sw_node_close) X(sw_result_name)
/* clang-format on */
#define POINTER(name) static __typeof__(&name) p_##name;
USED(POINTER)

/* dlsym gives an object pointer; POSIX promises that it holds a function's address. */
static int find(void *library, const char *name, void *function) {
    void *address = library ? dlsym(library, name) : NULL;
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static void *open_library(const char *path, int flags, const char *how) {
    int found = 1;
    void *library = dlopen(path, flags | RTLD_LOCAL);
    if (!tap_ok(library != NULL, how)) {
        printf("# %s\n", dlerror());
        return NULL;
    }
#define FIND(name) found = find(library, #name, &p_##name) && found;
    USED(FIND)
    if (!tap_ok(found, "it holds every function that is used here")) return NULL;
    tap_ok(strcmp(p_sw_version(), SEALWIRE_TEST_VERSION) == 0, "it tells its version");
    tap_ok(p_sw_abi_version() == SEALWIRE_TEST_ABI, "it tells its ABI number");
    return library;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char ticket[SW_ADDRESS_TEXT_SIZE], answer[16];
static int answered, listening;

static void on_event(const sw_event *event, void *user) {
    (void)user;
    pthread_mutex_lock(&mutex);
    if (event->type == SW_EVENT_MESSAGE) {
        p_sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL);
    } else if (event->type == SW_EVENT_LISTENING) {
        memcpy(ticket, event->as.listening.ticket.data, event->as.listening.ticket.size);
        listening = 1;
    } else if (event->type == SW_EVENT_DONE) {
        if (event->as.done.body.size < sizeof answer)
            memcpy(answer, event->as.done.body.data, event->as.done.body.size);
        answered = 1;
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static int wait_until(const int *flag) {
    struct timespec at;
    int late = 0;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += 60;
    pthread_mutex_lock(&mutex);
    while (!*flag && !late) late = pthread_cond_timedwait(&changed, &mutex, &at) == ETIMEDOUT;
    pthread_mutex_unlock(&mutex);
    return !late;
}

static sw_text text(const char *words) {
    const sw_text out = {words, strlen(words)};
    return out;
}

/* Two nodes; one request from one to the other. */
static void talk(sw_node *server, sw_node *client) {
    const sw_bytes body = {"over dlopen", 11};
    sw_node_options options;
    sw_listener listener;
    sw_peer peer;
    memset(answer, 0, sizeof answer);
    memset(ticket, 0, sizeof ticket);
    answered = listening = 0;
    sw_node_options_init(&options);
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    tap_ok(p_sw_node_open(&options, server) == SW_OK && p_sw_node_open(&options, client) == SW_OK, "two nodes open");
    tap_ok(p_sw_node_route(*server, text("echo"), NULL, NULL) == SW_OK, "with a route");
    tap_ok(p_sw_node_listen(*server, text("tcp://127.0.0.1:0"), NULL, &listener) == SW_OK, "one listens");
    if (!tap_ok(wait_until(&listening), "and tells its ticket")) exit(tap_done());
    tap_ok(p_sw_node_connect(*client, text(ticket), NULL, &peer) == SW_OK, "the other connects");
    tap_ok(p_sw_peer_request(peer, text("echo"), body, NULL, NULL) == SW_OK, "and asks");
    tap_ok(wait_until(&answered) && strcmp(answer, "over dlopen") == 0, "it is answered");
}

int main(int argc, char **argv) {
    sw_node server, client;
    if (!tap_ok(argc == 2, "the path of the library is given")) return tap_done();
    void *library = open_library(argv[1], RTLD_NOW, "the library opens with every symbol bound");
    if (!library) return tap_done();
    tap_ok(dlsym(library, "uv_loop_init") == NULL, "what is bundled inside cannot be seen");
    talk(&server, &client);
    tap_ok(p_sw_node_close(client, 0, NULL) == SW_OK && p_sw_node_close(server, 0, NULL) == SW_OK, "the nodes close");
    tap_ok(dlclose(library) == 0, "the library closes");
    library = open_library(argv[1], RTLD_LAZY, "it opens again");
    if (!library) return tap_done();
    talk(&server, &client);
    tap_ok(dlclose(library) == 0, "it closes again, with two nodes left open");
    tap_ok(p_sw_node_close(client, 0, NULL) == SW_OK, "which go on all the same");
    return tap_done(); /* and the process ends with one of them open */
}
