/* Opens libsealwire.so at run time, talks, closes it, opens it again, and says so in sentences; links to nothing of it.
 *
 *     runtime LIBSEALWIRE.SO
 */
#include <dlfcn.h>
#include <sealwire/sealwire.h>

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The functions used, as pointers of the header's own types. */
/* clang-format off */
#define USED(X) \
    X(sw_node_open) X(sw_node_listen) X(sw_node_connect) X(sw_node_route) X(sw_peer_request) \
    X(sw_exchange_reply) X(sw_node_close) X(sw_result_text)
/* clang-format on */
#define POINTER(name) static __typeof__(&name) p_##name;
USED(POINTER)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char ticket[SW_ADDRESS_TEXT_SIZE], answer[64];
static int over;
static sw_result ended; /* how the request, the listener or the connection did */

__attribute__((format(printf, 1, 2))) static void fail(const char *words, ...) {
    va_list more;
    va_start(more, words);
    fputs("  failed: ", stdout);
    vprintf(words, more);
    putchar('\n');
    va_end(more);
    exit(1);
}

static void must(sw_result result) {
    if (result != SW_OK) fail("%s", p_sw_result_text(result));
}

static sw_text text(const char *words) {
    const sw_text out = {words, strlen(words)};
    return out;
}

static void *open_library(const char *path) {
    void *address, *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail("%s", dlerror());
        /* dlsym gives an object pointer; POSIX promises that it holds a function's address. */
#define FIND(name)                                      \
    address = dlsym(library, #name);                    \
    if (!address) fail("the library has no %s", #name); \
    memcpy(&p_##name, &address, sizeof address);
    USED(FIND)
    return library;
}

static void on_event(const sw_event *event, void *user) {
    const sw_text listening = event->as.listening.ticket;
    (void)user;
    pthread_mutex_lock(&mutex);
    switch (event->type) {
        case SW_EVENT_MESSAGE: p_sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL); break;
        case SW_EVENT_LISTENING: memcpy(ticket, listening.data, listening.size); break;
        case SW_EVENT_DONE:
            snprintf(answer, sizeof answer, "%.*s", (int)event->as.done.body.size,
                     (const char *)event->as.done.body.data);
            ended = event->as.done.result;
            over = 1;
            break;
        case SW_EVENT_LISTENER_CLOSED:
        case SW_EVENT_PEER_CLOSED:
            if (!over) ended = event->as.closed.result;
            over = 1;
            break;
        default: break;
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

/* Until there is an answer, or a ticket where that is enough. */
static void wait(int for_ticket) {
    pthread_mutex_lock(&mutex);
    while (!over && !(for_ticket && ticket[0])) pthread_cond_wait(&changed, &mutex);
    must(over ? ended : SW_OK);
    pthread_mutex_unlock(&mutex);
}

static void talk(void) {
    const sw_bytes body = {"hello over dlopen", 17};
    sw_node server, client;
    sw_node_options options;
    sw_listener listener;
    sw_peer peer;
    memset(ticket, 0, sizeof ticket);
    over = 0;
    memset(&options, 0, sizeof options); /* zero is the default of everything */
    options.size = sizeof options;
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    must(p_sw_node_open(&options, &server));
    must(p_sw_node_open(&options, &client));
    must(p_sw_node_route(server, text("echo"), NULL, NULL));
    must(p_sw_node_listen(server, text("tcp://127.0.0.1:0"), NULL, &listener));
    wait(1);
    must(p_sw_node_connect(client, text(ticket), NULL, &peer));
    must(p_sw_peer_request(peer, text("echo"), body, NULL, NULL));
    wait(0);
    printf("  talked: one node asked another, which replied '%s'\n", answer);
    must(p_sw_node_close(client, 0, NULL));
    must(p_sw_node_close(server, 0, NULL));
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "runtime LIBSEALWIRE.SO\n");
        return 2;
    }
    void *library = open_library(argv[1]);
    puts("  opened: the library, by dlopen; this program is linked to nothing of it");
    talk();
    if (dlclose(library) != 0) fail("%s", dlerror());
    puts("  closed: both nodes, then the library");
    library = open_library(argv[1]);
    puts("  opened: the library again, in the same process");
    talk();
    if (dlclose(library) != 0) fail("%s", dlerror());
    puts("  closed: the nodes and the library, for good");
    return 0;
}
