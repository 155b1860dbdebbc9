/* A program whose resolver never answers: `close` closes its node meanwhile, `exit` returns from main with it open. */
#include <netdb.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sealwire/sealwire.h"

static sem_t asked;

/* In place of libc's, for this program and the library: asks nobody and does not come back. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
    (void)name, (void)service, (void)hints, (void)out;
    sem_post(&asked);
    for (;;) pause();
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int fails(sw_result result, const char *what) {
    if (result != SW_OK) printf("%s: %s (%s)\n", what, sw_result_name(result), sw_error_detail());
    return result != SW_OK;
}

static void ignore(const sw_event *event, void *user) { (void)event, (void)user; }

int main(int argc, char **argv) {
    static const char address[] = "tcp://name:1";
    char ticket[SW_ADDRESS_TEXT_SIZE];
    sw_node_options options;
    sw_identity *other;
    sw_close_report report;
    sw_peer_id id;
    sw_node node;
    sw_peer peer;
    setvbuf(stdout, NULL, _IOLBF, 0);
    sem_init(&asked, 0, 0);
    sw_node_options_init(&options);
    options.on_event = ignore;
    if (argc != 2 || fails(sw_identity_generate(&other), "identity") || fails(sw_identity_id(other, &id), "id") ||
        fails(sw_ticket_make((sw_text){address, sizeof address - 1}, &id, ticket), "ticket") ||
        fails(sw_node_open(&options, &node), "open") ||
        fails(sw_node_connect(node, (sw_text){ticket, strlen(ticket)}, NULL, &peer), "connect") ||
        fails(sw_peer_send(peer, (sw_text){"x", 1}, (sw_bytes){"x", 1}, NULL), "send"))
        return 1;
    sw_identity_free(other);
    while (sem_wait(&asked) != 0) continue;
    puts("asked");
    if (strcmp(argv[1], "exit") == 0) return 0;
    memset(&report, 0, sizeof report);
    report.size = sizeof report;
    const double start = now();
    if (fails(sw_node_close(node, 100, &report), "close")) return 1;
    printf("closed after %.3f s, %u not sent\n", now() - start, (unsigned)report.not_sent);
    return 0;
}
