/* What sealwire_bench.c needs to listen and to dial over the transport that --transport names. */
#ifndef SEALWIRE_BENCH_TRANSPORT_H
#define SEALWIRE_BENCH_TRANSPORT_H

#include <sealwire/sealwire.h>

#include "common.h"

void transport_url(const struct bench_options *options, char out[256]); /* to listen on */
/* Certificates made anew, and whom to trust left in the folder of this run for the client. NULL where there is no TLS. */
const sw_tls_options *transport_certificates(const struct bench_options *options);
const sw_tls_options *transport_trust(const struct bench_options *options); /* the client's; NULL likewise */

#endif
