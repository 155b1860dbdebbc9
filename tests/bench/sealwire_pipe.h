/* The transport `pipe` of sealwire_bench.c: the program itself carries the bytes of its one session, over a unix socket. */
#ifndef SEALWIRE_BENCH_PIPE_H
#define SEALWIRE_BENCH_PIPE_H

#include <sealwire/sealwire.h>

#include "common.h"

void pipe_serve(const struct bench_options *options, sw_node node); /* says that it is ready, takes one connection */
void pipe_connect(const struct bench_options *options, sw_node node, sw_peer *peer);
bool pipe_event(const sw_event *event); /* for each event of the node; true: it was one of the pipe */
void pipe_finish(void);                 /* after the node was closed: the last bytes have gone */

#endif
