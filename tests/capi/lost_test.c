/* Connections that break: a proxy between two nodes cuts, resets and corrupts. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "check.h"

enum { FORWARD, CUT, RESET, CORRUPT };
static int action = FORWARD; /* what the proxy does with the next bytes from the server */

typedef struct proxy {
    int listening;
    unsigned port, server_port;
    pthread_t thread;
} proxy;

static int tcp_to(unsigned port, int listening, unsigned *own_port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((uint16_t)port);
    if (listening ? bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 8) != 0
                  : connect(fd, (struct sockaddr *)&address, size) != 0) {
        exit(1);
    }
    getsockname(fd, (struct sockaddr *)&address, &size);
    if (own_port) *own_port = ntohs(address.sin_port);
    return fd;
}

static void end(int fd, int how) {
    const struct linger hard = {1, 0};
    if (how == RESET) setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
}

/* One connection after the other. */
static void *run_proxy(void *argument) {
    proxy *p = (proxy *)argument;
    static unsigned char buffer[65536];
    for (;;) {
        const int a = accept(p->listening, NULL, NULL);
        if (a < 0) return NULL;
        const int b = tcp_to(p->server_port, 0, NULL);
        int how = FORWARD;
        while (how == FORWARD || how == CORRUPT) {
            struct pollfd fds[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
            poll(fds, 2, -1);
            const int from = fds[1].revents ? b : a;
            const ssize_t got = read(from, buffer, sizeof buffer);
            if (from == b) how = __atomic_exchange_n(&action, FORWARD, __ATOMIC_SEQ_CST);
            if (got <= 0) how = CUT;
            if (how == CORRUPT) buffer[got - 1] ^= 1;
            if (how == FORWARD || how == CORRUPT) {
                if (write(from == a ? b : a, buffer, (size_t)got) != got) how = CUT;
            }
        }
        end(a, how);
        end(b, how);
    }
}

static box server, client;

static void echo(const sw_event *event, void *user) {
    (void)user;
    MUST(sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL));
}

static void breaks(const char *ticket, int how, sw_result expected, const char *fact) {
    sw_exchange running;
    sw_send_options receipt;
    const sw_peer peer = box_connect(&client, ticket);
    printf("# %s\n", fact);
    MUST(sw_peer_request(peer, text("never"), bytes("x"), NULL, &running));
    note n = box_ask(&client, peer, "echo", "y");
    tap_ok(n.result == SW_OK, "all is well before");
    const unsigned before = box_count(&client, SW_EVENT_RECEIPT);
    sw_send_options_init(&receipt);
    receipt.receipt = 1;
    __atomic_store_n(&action, how, __ATOMIC_SEQ_CST);
    MUST(sw_peer_send(peer, text("never"), bytes("z"), &receipt)); /* its receipt is what the proxy meets */
    n = box_peer_event(&client, SW_EVENT_PEER_CLOSED, peer);
    tap_ok(n.result == expected, fact);
    if (n.result != expected) printf("# got %s\n", sw_result_name(n.result));
    tap_ok(strlen(n.detail) > 0 && n.last >= 1, "with particulars, and messages of which nobody can tell");
    n = box_done(&client, running);
    tap_ok(n.result == SW_ERR_OUTCOME_UNKNOWN, "what became of a running request is unknown");
    box_wait(&client, SW_EVENT_RECEIPT, before + 1, &n);
    tap_ok(n.result == SW_ERR_OUTCOME_UNKNOWN, "and of a message whose receipt did not come");
}

int main(void) {
    proxy p;
    char ticket[SW_ADDRESS_TEXT_SIZE], address[SW_ADDRESS_TEXT_SIZE], through[SW_ADDRESS_TEXT_SIZE];
    sw_peer_id id;
    box_open(&server, NULL);
    box_open(&client, NULL);
    MUST(sw_node_route(server.node, text("echo"), echo, NULL));
    MUST(sw_node_route(server.node, text("never"), NULL, NULL));
    box_listen(&server, "tcp://127.0.0.1:0", ticket);
    MUST(sw_ticket_split(text(ticket), address, &id));
    sscanf(address, "tcp://127.0.0.1:%u", &p.server_port);
    p.listening = tcp_to(0, 1, &p.port);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", p.port);
    MUST(sw_ticket_make(text(address), &id, through));
    pthread_create(&p.thread, NULL, run_proxy, &p);
    breaks(through, CUT, SW_ERR_TRUNCATED, "bytes that end without a close");
    breaks(through, RESET, SW_ERR_PEER_LOST, "a connection that is reset");
    breaks(through, CORRUPT, SW_ERR_RECORD, "a bit that was turned over");
    box_close(&client);
    box_close(&server);
    shutdown(p.listening, SHUT_RDWR);
    pthread_join(p.thread, NULL);
    close(p.listening);
    return tap_done();
}
