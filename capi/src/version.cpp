// What this library is: release and ABI number.
#include "sealwire/sealwire.h"
#include "version_config.h"

extern "C" const char* sw_version(void) { return SEALWIRE_VERSION; }
extern "C" uint32_t sw_abi_version(void) { return SEALWIRE_ABI; }
