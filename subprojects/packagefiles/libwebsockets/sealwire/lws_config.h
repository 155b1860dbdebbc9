/* What libwebsockets is built with, in place of what its CMake files generate. */
#ifndef NDEBUG
#ifndef _DEBUG
#define _DEBUG
#endif
#endif

#define LWS_INSTALL_DATADIR ""
#define LWS_INSTALL_LIBDIR ""
#define LWS_LIBRARY_VERSION_MAJOR 4
#define LWS_LIBRARY_VERSION_MINOR 3
#define LWS_LIBRARY_VERSION_PATCH_ELABORATED 5
#define LWS_LIBRARY_VERSION_PATCH 5
#define LWS_LIBRARY_VERSION "4.3.5"
#define LWS_LIBRARY_VERSION_NUMBER \
    ((LWS_LIBRARY_VERSION_MAJOR * 1000000) + (LWS_LIBRARY_VERSION_MINOR * 1000) + LWS_LIBRARY_VERSION_PATCH)
#define LWS_BUILD_HASH "4.3.5"

/* One loop and one thread for each context. */
#define LWS_MAX_SMP 1

#define LWS_PLAT_UNIX
#define LWS_WITH_NETWORK
#define LWS_WITH_CLIENT
#define LWS_WITH_SERVER
#define LWS_WITH_IPV6
#define LWS_WITH_POLL
#define LWS_WITH_EVENT_LIBS
#define LWS_WITH_LIBUV
#define LWS_ROLE_H1
#define LWS_ROLE_RAW
#define LWS_ROLE_WS
#define LWS_WITHOUT_EXTENSIONS
#define LWS_NO_DAEMONIZE
/* Nothing of it prints, and its log level would be shared by all threads. */
#define LWS_WITH_NO_LOGS
/* Errors and the like of its own are for a terminal. */
#define LWS_LOGGING_BITFIELD_CLEAR (LLL_ERR | LLL_USER)
#define LWS_LOGGING_BITFIELD_SET 0
/* The process's way with signals is the application's; what is sent, is sent with MSG_NOSIGNAL. */
#define LWS_AVOID_SIGPIPE_IGN
#define LWS_SUPPRESS_DEPRECATED_API_WARNINGS

/* Not LWS_HAVE_MALLOC_USABLE_SIZE: it counts what is allocated in a variable of all threads. */
#define LWS_HAS_INTPTR_T
#define LWS_HAS_GETOPT_LONG
#define LWS_HAVE_ATOLL
#define LWS_HAVE_CLOCK_GETTIME
#define LWS_HAVE_LOCALTIME_R
#define LWS_HAVE_GMTIME_R
#define LWS_HAVE_CTIME_R
#define LWS_HAVE_GETGRGID_R
#define LWS_HAVE_GETGRNAM_R
#define LWS_HAVE_GETPWUID_R
#define LWS_HAVE_GETPWNAM_R
#define LWS_HAVE_PTHREAD_H
#define LWS_HAVE_STDINT_H
#define LWS_HAVE_TIMEGM
#define LWS_HAVE_SUSECONDS_T
#define LWS_HAVE_VFORK
#ifdef __linux__
#define LWS_HAVE_MALLOC_H
#define LWS_HAVE_PIPE2
#define LWS_HAVE_EVENTFD
#define LWS_HAVE_EXECVPE
#endif
