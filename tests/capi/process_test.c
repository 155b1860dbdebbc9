/* What the library leaves alone in the process that it lives in: signals, forks, errno, locale, rounding; and its log. */
#include <fenv.h>
#include <locale.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "check.h"

#define CONNECTIONS 50

static box server, client;
static sw_peer peers[CONNECTIONS];

static void open_both(const char *url, unsigned connections) {
    char ticket[SW_ADDRESS_TEXT_SIZE];
    box_open_several(&server);
    server.echo = 1;
    MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
    box_listen(&server, url, ticket);
    box_open_several(&client);
    for (unsigned i = 0; i < connections; ++i) peers[i] = box_connect(&client, ticket);
}

static void close_both(void) {
    box_close(&client);
    box_close(&server);
}

static int answers(sw_peer peer) { return box_ask(&client, peer, "echo", "still there").result == SW_OK; }

/* ---- Signals ---- */

static volatile sig_atomic_t ticks;
static void on_tick(int number) {
    (void)number;
    ++ticks;
}

/* Signals go to this thread, for the loop threads block them; system calls that they interrupt are not restarted. */
static void signals(void) {
    const unsigned long wanted = scaled(2000);
    unsigned asked = 0, answered = 0;
    struct sigaction action, before;
    const struct itimerval fast = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};
    memset(&action, 0, sizeof action);
    action.sa_handler = on_tick;
    sigaction(SIGALRM, &action, &before);
    char abstract[64];
    snprintf(abstract, sizeof abstract, "unix:@sealwire-signals-%ld", (long)getpid());
    setitimer(ITIMER_REAL, &fast, NULL);
    for (unsigned round = 0; (unsigned long)ticks < wanted && round < 200; ++round) {
        open_both(round % 2 ? "tcp://127.0.0.1:0" : abstract, 1);
        for (const unsigned long until = (unsigned long)ticks + 100; (unsigned long)ticks < until && asked < 3000000;) {
            for (int i = 0; i < 20; ++i, ++asked) answered += answers(peers[0]) ? 1 : 0;
            pthread_mutex_lock(&client.mutex); /* notes are kept; these are not looked at again */
            client.count = 0;
            pthread_mutex_unlock(&client.mutex);
            pthread_mutex_lock(&server.mutex);
            server.count = 0;
            pthread_mutex_unlock(&server.mutex);
        }
        close_both();
    }
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &before, NULL);
    printf("# %ld signals, %u of %u requests answered\n", (long)ticks, answered, asked);
    tap_ok((unsigned long)ticks >= wanted && answered == asked, "signals at 1 kHz disturb nothing");
}

/* ---- Forks ---- */

static void forks(void) {
    const unsigned long wanted = scaled(100);
    unsigned wrong = 0, unanswered = 0;
    open_both("tcp://127.0.0.1:0", CONNECTIONS);
    for (unsigned long i = 0; i < wanted; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            int bad = sw_node_close(client.node, 1000, NULL) != SW_ERR_FORK;
            for (int k = 0; k < CONNECTIONS; ++k) {
                bad |= sw_peer_send(peers[k], text("echo"), no_bytes(), NULL) != SW_ERR_FORK;
                bad |= sw_peer_close(peers[k], 0, no_text(), 0) != SW_ERR_FORK;
            }
            _exit(bad);
        }
        int status = -1;
        if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) ++wrong;
        if (!answers(peers[i % CONNECTIONS])) ++unanswered;
    }
    for (int k = 0; k < CONNECTIONS; ++k) unanswered += answers(peers[k]) ? 0 : 1;
    printf("# %lu forks with %d connections\n", wanted, CONNECTIONS);
    tap_ok(wrong == 0, "each child of a fork is told so by every call and exits");
    tap_ok(unanswered == 0, "all connections of the parent go on");
    close_both();
}

/* ---- errno, locale, rounding ---- */

static void surroundings(void) {
    unsigned changed = 0;
    sw_identity *identity = NULL;
    sw_peer_id id;
    char out[SW_ADDRESS_TEXT_SIZE];
    sw_node node;
    sw_peer peer;
    sw_listener listener;
    char before[64];
    setlocale(LC_ALL, "C.UTF-8");
    snprintf(before, sizeof before, "%s", setlocale(LC_ALL, NULL));
    fesetround(FE_UPWARD);
    open_both("tcp://127.0.0.1:0", 1);
#define KEEPS(call)                                       \
    do {                                                  \
        errno = 4711;                                     \
        (void)(call);                                     \
        if (errno != 4711 || fegetround() != FE_UPWARD) { \
            ++changed;                                    \
            printf("# %s: errno %d\n", #call, errno);     \
        }                                                 \
    } while (0)
    KEEPS(sw_identity_load(text("/nonexistent/key"), &identity));
    KEEPS(sw_identity_generate(&identity));
    KEEPS(sw_identity_save(identity, text("/nonexistent/key")));
    KEEPS(sw_network_generate(out));
    KEEPS(sw_peer_id_parse(text("no id"), &id));
    KEEPS(sw_node_open(NULL, &node));
    KEEPS(sw_node_listen(node, text("tcp://127.0.0.1:0"), NULL, &listener));
    KEEPS(sw_node_listen(node, text("unix:///nonexistent/socket"), NULL, &listener));
    KEEPS(sw_node_connect(node, text("tcp://127.0.0.1:1"), NULL, &peer));
    KEEPS(sw_peer_send(peers[0], text("echo"), bytes("x"), NULL));
    KEEPS(answers(peers[0]));
    KEEPS(sw_peer_close(peers[0], 0, no_text(), 0));
    KEEPS(sw_node_close(node, 1000, NULL));
    KEEPS(sw_node_close(node, 1000, NULL));
    sw_identity_free(identity);
    close_both();
    tap_ok(changed == 0,
           "errno and the rounding of the calling thread are as before, whether a call succeeds or fails");
    tap_ok(strcmp(before, setlocale(LC_ALL, NULL)) == 0, "so is the locale");
    fesetround(FE_TONEAREST);
}

/* ---- The log ---- */

static char secrets[8][120];
static size_t logged, leaks;

static void watch(const sw_event *event, box *b) {
    (void)b;
    if (event->type != SW_EVENT_LOG) return;
    const sw_text line = event->as.log.text;
    __atomic_fetch_add(&logged, line.size, __ATOMIC_SEQ_CST);
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; ++i) {
        if (secrets[i][0] && memmem(line.data, line.size, secrets[i], strlen(secrets[i])))
            __atomic_fetch_add(&leaks, 1, __ATOMIC_SEQ_CST);
    }
}

static size_t so_far(void) { return __atomic_load_n(&logged, __ATOMIC_SEQ_CST); }

static void hex_of(const uint8_t *data, size_t size, char *out) {
    for (size_t i = 0; i < size; ++i) sprintf(out + 2 * i, "%02x", data[i]);
}

/* Whatever happens, from connections that succeed to those that are refused. */
static void log_keeps_secrets(void) {
    const size_t wanted = scaled(300000);
    char network[SW_NETWORK_TEXT_SIZE], ticket[SW_ADDRESS_TEXT_SIZE];
    uint8_t seed[SW_SEED_SIZE];
    sw_node_options options;
    sw_identity *identity;
    sw_peer peer;
    MUST(sw_network_generate(network));
    MUST(sw_identity_generate(&identity));
    MUST(sw_identity_seed(identity, seed));
    /* Whole or in part: a piece of each of them would be one too many. */
    memcpy(secrets[0], network + 6, 16);
    memcpy(secrets[1], network + 30, 16);
    hex_of(seed, 8, secrets[2]);
    hex_of(seed + 20, 8, secrets[3]);
    if (!memchr(seed, 0, 8)) memcpy(secrets[4], seed, 8); /* one that a zero cuts short would be found anywhere */
    strcpy(secrets[5], "words of the body");
    strcpy(secrets[6], "data of the greeting");
    for (int refused = 0; refused < 2; ++refused) {
        sw_node_options_init(&options);
        options.network = text(network);
        options.identity = identity;
        options.access = refused ? SW_ACCESS_ALLOW_LIST : SW_ACCESS_ANYONE;
        options.log = 1;
        options.log_level = SW_LOG_DEBUG;
        box_open(&server, &options);
        box_look(&server, watch);
        server.echo = 1;
        MUST(sw_node_route(server.node, text("echo"), NULL, NULL));
        box_listen(&server, "tcp://127.0.0.1:0", ticket);
        options.identity = NULL;
        box_open(&client, &options);
        box_look(&client, watch);
        sw_connect_options connect;
        sw_connect_options_init(&connect);
        connect.data = bytes("data of the greeting");
        for (const size_t until = so_far() + wanted / 2; so_far() < until;) {
            MUST(sw_node_connect(client.node, text(ticket), &connect, &peer));
            if (!refused) {
                (void)sw_peer_send(peer, text("nowhere"), bytes("words of the body"), NULL);
                (void)box_ask(&client, peer, "echo", "words of the body");
                (void)sw_peer_close(peer, 64, text("bye"), 1000);
            }
            (void)box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
            pthread_mutex_lock(&client.mutex);
            client.count = 0;
            pthread_mutex_unlock(&client.mutex);
            pthread_mutex_lock(&server.mutex);
            server.count = 0;
            pthread_mutex_unlock(&server.mutex);
        }
        close_both();
    }
    sw_identity_free(identity);
    printf("# %zu bytes of log at level debug\n", logged);
    tap_ok(logged >= wanted && leaks == 0, "the log at level debug has no secret, no body and no data in it");
}

int main(void) {
    signals();
    forks();
    surroundings();
    log_keeps_secrets();
    return tap_done();
}
