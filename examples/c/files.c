/* Files: a report goes to a server that saves it; a name that leads elsewhere and a file that is too large are refused. */
#define _GNU_SOURCE
#include <sealwire/sealwire.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static sem_t listening, answered;
static char ticket[SW_ADDRESS_TEXT_SIZE], folder[64], inbox[80], report[80], large[80];

static sw_text text(const char *words) { return (sw_text){words, strlen(words)}; }

/* ---- The server ---- */

static struct { /* the one upload that runs */
    sw_exchange exchange;
    char name[256];
} upload;

static void on_upload(const sw_event *event, void *user) {
    const sw_event_message *message = &event->as.message;
    sw_save_options options;
    (void)user;
    sw_save_options_init(&options);
    options.most_bytes = 1000000;
    upload.exchange = message->exchange;
    snprintf(upload.name, sizeof upload.name, "%.*s", (int)message->parts[0].head.name.size,
             message->parts[0].head.name.data);
    const sw_result result = sw_part_save(&message->parts[0], text(inbox), &options);
    if (result != SW_OK) sw_exchange_status(upload.exchange, 64, text(sw_result_name(result)));
}

/* The last event of the part that was to be saved: it has its name, or nothing of it is left. */
static void on_saved(const sw_event_part_done *done) {
    char words[320];
    if (done->result != SW_OK) {
        sw_exchange_status(upload.exchange, 64, text(sw_result_name(done->result)));
        return;
    }
    const int size =
        snprintf(words, sizeof words, "saved as %s, %llu bytes", upload.name, (unsigned long long)done->bytes);
    sw_exchange_reply(upload.exchange, (sw_bytes){words, (size_t)size}, NULL);
}

static void on_server_event(const sw_event *event, void *user) {
    (void)user;
    if (event->type == SW_EVENT_LISTENING) {
        snprintf(ticket, sizeof ticket, "%.*s", (int)event->as.listening.ticket.size, event->as.listening.ticket.data);
        sem_post(&listening);
    } else if (event->type == SW_EVENT_PART_DONE) {
        on_saved(&event->as.part_done);
    }
}

/* ---- The client ---- */

static void on_client_event(const sw_event *event, void *user) {
    (void)user;
    const char *name = event->user;      /* of the request */
    if (event->type == SW_EVENT_REPLY) { /* it comes before the end of an exchange with parts */
        printf("%s: %.*s\n", name, (int)event->as.message.body.size, (const char *)event->as.message.body.data);
    } else if (event->type == SW_EVENT_DONE) {
        const sw_event_done *done = &event->as.done;
        if (done->result == SW_OK && done->has_body) {
            printf("%s: %.*s\n", name, (int)done->body.size, (const char *)done->body.data);
        } else if (done->result == SW_ERR_STATUS) {
            printf("%s: %.*s\n", name, (int)done->text.size, done->text.data);
        }
        sem_post(&answered);
    }
}

static void send_file(sw_peer peer, const char *path, const char *name) {
    sw_file_options file;
    sw_request_options options;
    sw_part_head head;
    sw_part part;
    sw_file_options_init(&file);
    file.name = text(name);
    if (sw_file_open(text(path), &file, &head) != SW_OK) {
        printf("%s: %s\n", path, sw_error_detail());
        return;
    }
    sw_request_options_init(&options);
    options.parts = &head;
    options.part_count = 1;
    options.part_handles = &part;
    options.user = (void *)name;
    if (sw_peer_request(peer, text("upload"), (sw_bytes){NULL, 0}, &options, NULL) == SW_OK) sem_wait(&answered);
    else sw_file_close(head.file); /* what was not taken stays ours */
}

static void write_file(const char *path, const char *content, size_t size) {
    FILE *out = fopen(path, "w");
    for (size_t at = 0; out && at < size; at += strlen(content)) fputs(content, out);
    if (out) fclose(out);
}

int main(void) {
    sw_node server, client;
    sw_listener listener;
    sw_peer peer;
    sw_node_options options;
    char line[64] = "", path[100];
    snprintf(folder, sizeof folder, "/tmp/files-XXXXXX");
    if (!mkdtemp(folder)) return 1;
    snprintf(inbox, sizeof inbox, "%s/inbox", folder);
    snprintf(report, sizeof report, "%s/report.txt", folder);
    snprintf(large, sizeof large, "%s/large.bin", folder);
    mkdir(inbox, 0700);
    write_file(report, "all is well", 11);
    write_file(large, "0123456789", 5000000);
    sem_init(&listening, 0, 0);
    sem_init(&answered, 0, 0);

    sw_node_options_init(&options);
    options.network = text("example");
    options.access = SW_ACCESS_ANYONE;
    options.on_event = on_server_event;
    if (sw_node_open(&options, &server) != SW_OK) return 1;
    sw_node_route(server, text("upload"), on_upload, NULL);
    sw_node_listen(server, text("tcp://127.0.0.1:0"), NULL, &listener);
    sem_wait(&listening);
    options.on_event = on_client_event;
    if (sw_node_open(&options, &client) != SW_OK || sw_node_connect(client, text(ticket), NULL, &peer) != SW_OK)
        return 1;

    send_file(peer, report, "report.txt");
    send_file(peer, report, "report.txt");
    send_file(peer, report, "../report.txt");
    send_file(peer, large, "large.bin");

    snprintf(path, sizeof path, "%s/report.txt", inbox);
    FILE *saved = fopen(path, "r");
    if (saved && fgets(line, sizeof line, saved)) printf("in the folder: %s\n", line);
    if (saved) fclose(saved);
    sw_node_close(client, 0, NULL);
    sw_node_close(server, 0, NULL);
    unlink(path);
    unlink(report);
    unlink(large);
    rmdir(inbox);
    rmdir(folder);
    puts("closed");
    return 0;
}
