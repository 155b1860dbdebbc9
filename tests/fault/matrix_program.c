/* Both ends of the fault matrix for single messages, on the public interface: what came, and how each thing ended.
 *
 *     matrix-program server URL                        a line for each message that it takes; ends with its standard input
 *     matrix-program client TICKET KIND COUNT SEED     KIND: request or receipt; starts with a line on its standard input
 */
#include "matrix.h"

#define UNDER_WAY 32
#define MAX_FILLER 1500

static uint64_t first_receipt;
static unsigned short filler_of[MAX_COUNT];
static int receipts;

static size_t make_body(char *out, unsigned index, unsigned filler) {
    const size_t size = (size_t)sprintf(out, "%u ", index);
    for (unsigned i = 0; i < filler; ++i) out[size + i] = (char)('a' + (index + i) % 26);
    return size + filler;
}

static void on_event(const sw_event *event, void *user) {
    char want[16 + MAX_FILLER];
    (void)user;
    pthread_mutex_lock(&all.mutex);
    if (event->type == SW_EVENT_DONE) {
        const unsigned index = (unsigned)(uintptr_t)event->user - 1;
        if (index < MAX_COUNT && event->as.done.result == SW_OK) {
            const sw_bytes body = event->as.done.body;
            const size_t size = make_body(want, index, filler_of[index]);
            if (body.size != size || memcmp(body.data, want, size) != 0) ++all.wrong;
        }
        ended(index, event->as.done.result);
    } else if (event->type == SW_EVENT_RECEIPT) {
        for (uint64_t n = event->as.receipt.first; n <= event->as.receipt.last; ++n)
            ended((unsigned)(n - first_receipt), event->as.receipt.result);
        if (event->as.receipt.result == SW_OK)
            printf("acknowledged %u %u\n", (unsigned)(event->as.receipt.first - first_receipt),
                   (unsigned)(event->as.receipt.last - first_receipt));
    } else {
        on_connection(event);
    }
    pthread_cond_broadcast(&all.changed);
    pthread_mutex_unlock(&all.mutex);
}

/* Written before the handler returns, so before anything is acknowledged; a pipe keeps it when this process is killed. */
static void on_message(const sw_event *event, void *user) {
    char line[32];
    const int size =
        snprintf(line, sizeof line, "took %lu\n", strtoul((const char *)event->as.message.body.data, NULL, 10));
    (void)user;
    if (write(1, line, (size_t)size) != size) abort();
    if (event->as.message.expects == SW_EXPECTS_ONE)
        sw_exchange_reply(event->as.message.exchange, event->as.message.body, NULL);
}

static int issue(sw_peer peer, unsigned index, uint32_t lot) {
    char body[16 + MAX_FILLER];
    const unsigned filler = lot % MAX_FILLER;
    const sw_bytes bytes = {body, make_body(body, index, filler)};
    sw_request_options request;
    sw_send_options send;
    sw_result result;
    uint64_t number = 0;
    sw_request_options_init(&request);
    sw_send_options_init(&send);
    request.user = (void *)(uintptr_t)(index + 1);
    request.timeout_ms = request_timeout_ms();
    send.receipt = 1;
    send.receipt_number = &number;
    pthread_mutex_lock(&all.mutex); /* no event of it before all this is noted */
    filler_of[index] = (unsigned short)filler;
    result = receipts ? sw_peer_send(peer, text("x"), bytes, &send)
                      : sw_peer_request(peer, text("x"), bytes, &request, NULL);
    if (result == SW_OK && index == 0) first_receipt = number;
    if (result == SW_OK) all.issued = index + 1;
    if (result == SW_OK && receipts && number != first_receipt + index) ++all.wrong;
    pthread_mutex_unlock(&all.mutex);
    if (result != SW_OK && result != SW_ERR_HANDLE && result != SW_ERR_CLOSED) must(result, "a message");
    return result == SW_OK;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    const sw_node node = open_node(on_event);
    must(sw_node_route(node, text("x"), on_message, NULL), "route");
    if (argc == 3 && strcmp(argv[1], "server") == 0) return serve(node, argv[2]);
    if (argc != 6) return 2;
    receipts = strcmp(argv[3], "receipt") == 0;
    all.under_way = UNDER_WAY;
    return run_client(node, argv[2], (unsigned)strtoul(argv[4], NULL, 10), (uint32_t)strtoul(argv[5], NULL, 10), issue);
}
