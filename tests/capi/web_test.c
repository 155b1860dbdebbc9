/* The web port in C: WebSockets between nodes, health, metrics, files, requests and upgrades that the program answers. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "check.h"

static box server, client;
static char last_answer[65536];

/* One request on a connection of its own, until the port ends it; gives the status. */
static int http(unsigned port, const char *request) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t filled = 0;
    ssize_t got;
    address.sin_port = htons((uint16_t)port);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) exit(1);
    if (write(fd, request, strlen(request)) < 0) exit(1);
    while ((got = read(fd, last_answer + filled, sizeof last_answer - 1 - filled)) > 0) {
        filled += (size_t)got;
        last_answer[filled] = 0;
        if (strstr(request, "Upgrade:") && strstr(last_answer, "\r\n\r\n")) break;
    }
    last_answer[filled] = 0;
    close(fd);
    return filled > 12 ? atoi(last_answer + 9) : 0;
}

static int get(unsigned port, const char *path) {
    char request[2048];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    return http(port, request);
}

static int upgrade(unsigned port, const char *path, const char *headers) {
    char request[2048];
    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
             path, headers);
    return http(port, request);
}

static const char *body(void) {
    const char *at = strstr(last_answer, "\r\n\r\n");
    return at ? at + 4 : "";
}

static unsigned listen_web(box *b, const sw_http_options *http_options, char ticket[SW_ADDRESS_TEXT_SIZE]) {
    sw_listen_options options;
    sw_listener listener;
    note n;
    unsigned port = 0;
    const unsigned before = box_count(b, SW_EVENT_LISTENING);
    sw_listen_options_init(&options);
    options.http = http_options;
    MUST(sw_node_listen(b->node, text("ws://127.0.0.1:0/chat"), &options, &listener));
    box_wait(b, SW_EVENT_LISTENING, before + 1, &n);
    strcpy(ticket, n.text);
    if (sscanf(n.text, "ws://127.0.0.1:%u/chat#", &port) != 1) exit(1);
    return port;
}

static sw_http_request asked;
static int asked_wrong;

static void answer(const sw_event *event, struct box *b) {
    const sw_event_http *const e = &event->as.http;
    sw_http_answer_options options;
    sw_pair header = {text("X-Seen"), {NULL, 0}};
    (void)b;
    sw_http_answer_options_init(&options);
    options.headers = &header;
    options.header_count = 1;
    if (event->type == SW_EVENT_HTTP_REQUEST) {
        asked = e->request;
        asked_wrong = !is_text(e->method, "POST") || !is_text(e->path, "/a%20b") || !is_text(e->query, "c=d") ||
                      !is_bytes(e->body, "12345") || e->secure || strncmp(e->address.data, "tcp://127.0.0.1:", 16) != 0;
        for (size_t i = 0; i < e->header_count; ++i) {
            if (is_text(e->headers[i].name, "x-thing")) header.value = e->headers[i].value;
        }
        MUST(sw_http_answer(e->request, 201, bytes("made"), &options));
        asked_wrong |= sw_http_answer(e->request, 200, no_bytes(), NULL) != SW_ERR_HANDLE;
    }
    if (event->type == SW_EVENT_HTTP_UPGRADE) {
        unsigned status = 403;
        for (size_t i = 0; i < e->header_count; ++i) {
            if (is_text(e->headers[i].name, "cookie") && is_text(e->headers[i].value, "pass=1")) status = 101;
        }
        MUST(sw_http_answer(e->request, status, bytes("no"), NULL));
    }
}

static void echo(const sw_event *event, void *user) {
    (void)user;
    MUST(sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL));
}

static void misuse(void) {
    sw_http_options http_options;
    sw_http_answer_options options;
    sw_listen_options listen_options;
    sw_listener listener;
    sw_http_request none = {{0}, 0};
    sw_pair wrong = {text("A B"), text("c")};
    sw_http_answer_options_init(&options);
    CHECK_IS(sw_http_answer(none, 200, no_bytes(), NULL), SW_ERR_HANDLE);
    CHECK_IS(sw_http_answer(asked, 200, no_bytes(), NULL), SW_ERR_HANDLE);
    CHECK_IS(sw_http_answer(asked, 100, no_bytes(), NULL), SW_ERR_ARG);
    CHECK_IS(sw_http_answer(asked, 600, no_bytes(), NULL), SW_ERR_ARG);
    options.header_count = 1;
    CHECK_IS(sw_http_answer(asked, 200, no_bytes(), &options), SW_ERR_ARG);
    options.headers = &wrong;
    CHECK_IS(sw_http_answer(asked, 200, no_bytes(), &options), SW_ERR_ARG);
    wrong.name = text("A");
    wrong.value = text("b\r\nc: d");
    CHECK_IS(sw_http_answer(asked, 200, no_bytes(), &options), SW_ERR_ARG);
    options.size = 0;
    CHECK_IS(sw_http_answer(asked, 200, no_bytes(), &options), SW_ERR_ARG);
    sw_http_options_init(&http_options);
    sw_listen_options_init(&listen_options);
    listen_options.http = &http_options;
    CHECK_IS(sw_node_listen(server.node, text("tcp://127.0.0.1:0"), &listen_options, &listener), SW_ERR_ARG);
    http_options.health_path = text("health");
    CHECK_IS(sw_node_listen(server.node, text("ws://127.0.0.1:0"), &listen_options, &listener), SW_ERR_ARG);
    http_options.health_path = no_text();
    http_options.max_head_bytes = 100;
    CHECK_IS(sw_node_listen(server.node, text("ws://127.0.0.1:0"), &listen_options, &listener), SW_ERR_ARG);
    http_options.size = 0;
    CHECK_IS(sw_node_listen(server.node, text("ws://127.0.0.1:0"), &listen_options, &listener), SW_ERR_ARG);
}

int main(void) {
    char ticket[SW_ADDRESS_TEXT_SIZE], folder[] = "/tmp/sealwire-web-XXXXXX", path[256];
    sw_http_options options;
    unsigned port;
    FILE *file;
    note n;
    box_open(&server, NULL);
    box_open(&client, NULL);
    box_look(&server, answer);
    MUST(sw_node_route(server.node, text("echo"), echo, NULL));
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/index.html", folder);
    file = fopen(path, "w");
    fputs("<p>page", file);
    fclose(file);

    sw_http_options_init(&options);
    port = listen_web(&server, &options, ticket);
    tap_ok(get(port, "/") == 404, "with nothing set up there is nothing to get");
    tap_ok(upgrade(port, "/other", "") == 404, "and no WebSocket on another path");
    tap_ok(upgrade(port, "/chat", "Origin: http://evil.example\r\n") == 403, "nor for a page of another host");
    tap_ok(upgrade(port, "/chat", "Origin: http://x\r\n") == 101, "but on its own path for the host's own pages");
    n = box_ask(&client, box_connect(&client, ticket), "echo", "over a WebSocket");
    tap_ok(n.result == SW_OK && strcmp(n.bytes, "over a WebSocket") == 0, "two nodes talk over it");

    options.requests = options.upgrades = 1;
    options.health_path = text("/health");
    options.metrics_path = text("/metrics");
    options.folder = text(folder);
    options.max_body_bytes = 100;
    port = listen_web(&server, &options, ticket);
    tap_ok(get(port, "/health") == 200 && strcmp(body(), "ok\n") == 0, "health is told");
    tap_ok(get(port, "/metrics") == 200 && strstr(body(), "\nsealwire_requests_received_total 1\n") &&
               strstr(body(), "sealwire_route_requests_received_total{route=\"echo\"} 1\n"),
           "metrics are the node's counters");
    tap_ok(!strstr(body(), "peer="), "and name no peer");
    tap_ok(get(port, "/") == 200 && strcmp(body(), "<p>page") == 0 && strstr(last_answer, "Content-Type: text/html"),
           "a file of the folder is had");
    tap_ok(http(port,
                "POST /a%20b?c=d HTTP/1.1\r\nHost: x\r\nX-Thing: seen\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
                "12345") == 201 &&
               strcmp(body(), "made") == 0 && strstr(last_answer, "\r\nX-Seen: seen\r\n"),
           "what is left the program answers, with a status, headers and a body");
    tap_ok(!asked_wrong, "it was told method, path, query, address, headers and body, and answers once");
    tap_ok(http(port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n") == 413,
           "a body beyond the limit is refused");
    tap_ok(upgrade(port, "/any", "Cookie: pass=1\r\n") == 101, "the program grants an upgrade by its cookie");
    tap_ok(upgrade(port, "/any", "Cookie: pass=2\r\n") == 403 && strcmp(body(), "no") == 0, "and refuses another");
    misuse();
    box_close(&client);
    box_close(&server);
    unlink(path);
    rmdir(folder);
    return tap_done();
}
