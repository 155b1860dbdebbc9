/* Reconnect: a session outlives the connection that carries it. Here a line between the two is cut while a request runs. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static sem_t listening, connected, asked, resumed, answered;
static char ticket[SW_ADDRESS_TEXT_SIZE];
static char answer[16];
static sw_exchange question;

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }

static void must(sw_result result) {
    if (result == SW_OK) return;
    fprintf(stderr, "%s: %s\n", sw_result_text(result), sw_error_detail());
    exit(1);
}

/* ---- The line: passes bytes on, as a network does, until it is cut ---- */

static int line_socket, line_cut[2];

static struct sockaddr_in loopback(unsigned port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void *run_line(void *argument) {
    const struct sockaddr_in server = loopback(*(unsigned *)argument);
    for (;;) {
        const int from = accept(line_socket, NULL, NULL);
        if (from < 0) return NULL;
        const int to = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(to, (const struct sockaddr *)&server, sizeof server) != 0) exit(1);
        struct pollfd ends[3] = {
            {.fd = from, .events = POLLIN}, {.fd = to, .events = POLLIN}, {.fd = line_cut[0], .events = POLLIN}};
        for (int open = 1; open && poll(ends, 3, -1) > 0;) {
            char block[4096];
            for (int i = 0; i < 2 && open; ++i) {
                if (!ends[i].revents) continue;
                const ssize_t size = read(ends[i].fd, block, sizeof block);
                open = size > 0 && write(ends[1 - i].fd, block, (size_t)size) == size;
            }
            if (ends[2].revents) open = read(line_cut[0], block, 1) < 0;
        }
        close(from);
        close(to);
    }
}

/* ---- The two nodes ---- */

static void on_question(const sw_event *event, void *user) {
    (void)user;
    question = event->as.message.exchange;
    sem_post(&asked);
}

static void on_event(const sw_event *event, void *user) {
    const int client = user != NULL;
    switch (event->type) {
        case SW_EVENT_LISTENING:
            memcpy(ticket, event->as.listening.ticket.data, event->as.listening.ticket.size);
            sem_post(&listening);
            break;
        case SW_EVENT_PEER_CONNECTED:
            if (client) sem_post(&connected);
            break;
        case SW_EVENT_PEER_SUSPENDED:
            if (client) puts("the connection broke; the session is kept");
            break;
        case SW_EVENT_PEER_CONNECTING:
            if (event->as.link.attempt == 1 && event->as.link.result != SW_OK) puts("dialling again");
            break;
        case SW_EVENT_PEER_RESUMED:
            if (!client) break;
            puts("the session goes on");
            sem_post(&resumed);
            break;
        case SW_EVENT_DONE:
            memcpy(answer, event->as.done.body.data, event->as.done.body.size);
            sem_post(&answered);
            break;
        default: break;
    }
}

static sw_node open_node(void *user) {
    sw_node_options options;
    sw_node node;
    sw_node_options_init(&options);
    options.network = text("example");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    options.user = user;
    options.redial_ms = 50;
    must(sw_node_open(&options, &node));
    return node;
}

int main(void) {
    sem_t *const all[] = {&listening, &connected, &asked, &resumed, &answered};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) sem_init(all[i], 0, 0);
    const sw_node server = open_node(NULL), client = open_node(answer);
    sw_listener listener;
    sw_peer peer;
    must(sw_node_route(server, text("think"), on_question, NULL));
    must(sw_node_listen(server, text("tcp://127.0.0.1:0"), NULL, &listener));
    sem_wait(&listening);

    unsigned port = 0;
    char through[SW_ADDRESS_TEXT_SIZE];
    struct sockaddr_in here = loopback(0);
    socklen_t size = sizeof here;
    pthread_t line;
    sscanf(ticket, "tcp://127.0.0.1:%u", &port);
    line_socket = socket(AF_INET, SOCK_STREAM, 0);
    if (pipe(line_cut) != 0 || bind(line_socket, (struct sockaddr *)&here, size) != 0 || listen(line_socket, 4) != 0)
        return 1;
    getsockname(line_socket, (struct sockaddr *)&here, &size);
    pthread_create(&line, NULL, run_line, &port);
    snprintf(through, sizeof through, "tcp://127.0.0.1:%u%s", (unsigned)ntohs(here.sin_port), strchr(ticket, '#'));

    must(sw_node_connect(client, text(through), NULL, &peer));
    sem_wait(&connected);
    puts("connected");
    must(sw_peer_request(peer, text("think"), (sw_bytes){NULL, 0}, NULL, NULL));
    sem_wait(&asked);
    if (write(line_cut[1], "x", 1) != 1) return 1;
    sem_wait(&resumed);
    must(sw_exchange_reply(question, (sw_bytes){"42", 2}, NULL));
    sem_wait(&answered);
    printf("the answer to the request that ran: %s\n", answer);

    must(sw_node_close(client, 0, NULL));
    must(sw_node_close(server, 0, NULL));
    shutdown(line_socket, SHUT_RDWR);
    pthread_join(line, NULL);
    close(line_socket);
    close(line_cut[0]);
    close(line_cut[1]);
    return 0;
}
