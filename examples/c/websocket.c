/* WebSocket: a node behind a web port, which answers HTTP as well; wss:// is the same with sw_tls_options, as in tls.c. */
#include <arpa/inet.h>
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static sem_t listening, answered;
static char ticket[SW_ADDRESS_TEXT_SIZE];

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }

static void on_echo(const sw_event *event, void *user) {
    (void)user;
    sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL);
}

static void on_server_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_LISTENING) {
        snprintf(ticket, sizeof ticket, "%.*s", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        sem_post(&listening);
    } else if (event->type == SW_EVENT_HTTP_REQUEST) {
        const sw_event_http *request = &event->as.http;
        char words[256];
        const char *name = memchr(request->query.data, '=', request->query.size);
        int size = name ? (int)(request->query.data + request->query.size - name - 1) : 0;
        snprintf(words, sizeof words, "hello, %.*s", size, name ? name + 1 : "");
        sw_http_answer(request->request, 200, (sw_bytes){words, strlen(words)}, NULL);
    }
}

static void on_client_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_DONE) {
        printf("client: got \"%.*s\"\n", (int)event->as.done.body.size, (const char *)event->as.done.body.data);
        sem_post(&answered);
    }
}

static sw_node open_node(sw_event_fn on_event) {
    sw_node_options options;
    sw_node_options_init(&options);
    options.network = text("example");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_event;
    sw_node node = {0};
    sw_node_open(&options, &node);
    return node;
}

/* As a browser would, but for one request. */
static void show(int port, const char *path) {
    char buffer[4096];
    size_t size = 0;
    ssize_t got;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) exit(1);
    dprintf(fd, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    while ((got = read(fd, buffer + size, sizeof buffer - 1 - size)) > 0) size += (size_t)got;
    close(fd);
    buffer[size] = 0;
    const char *body = strstr(buffer, "\r\n\r\n");
    body = body ? body + 4 : "";
    printf("web: GET %s is %.3s: %.*s\n", path, buffer + 9, (int)strcspn(body, "\n"), body);
}

int main(void) {
    sem_init(&listening, 0, 0);
    sem_init(&answered, 0, 0);
    sw_node server = open_node(on_server_event);
    sw_node client = open_node(on_client_event);
    sw_node_route(server, text("echo"), on_echo, NULL);
    sw_http_options http;
    sw_http_options_init(&http);
    http.health_path = text("/health");
    http.requests = 1;
    sw_listen_options options;
    sw_listen_options_init(&options);
    options.http = &http;
    sw_listener listener;
    sw_node_listen(server, text("ws://127.0.0.1:0/talk"), &options, &listener);
    sem_wait(&listening);
    printf("server: listening on a web port\n");

    int port = atoi(ticket + strlen("ws://127.0.0.1:"));
    show(port, "/health");
    show(port, "/hello?name=Ada");

    sw_peer peer;
    if (sw_node_connect(client, text(ticket), NULL, &peer) != SW_OK) return 1;
    sw_peer_request(peer, text("echo"), (sw_bytes){"over a WebSocket", 16}, NULL, NULL);
    sem_wait(&answered);
    sw_node_close(client, 2000, NULL);
    return sw_node_close(server, 2000, NULL) == SW_OK ? 0 : 1;
}
