/* TLS streams; see stream.h. */
#include "net/stream.h"

#include <openssl/err.h>
#include <unistd.h>

struct bufferevent *stream_new(struct loop *loop, int fd, SSL *ssl)
{
	enum bufferevent_ssl_state state;
	struct bufferevent *stream = NULL;

	if (ssl != NULL) {
		state = SSL_is_server(ssl) ? BUFFEREVENT_SSL_ACCEPTING : BUFFEREVENT_SSL_CONNECTING;
		stream = bufferevent_openssl_socket_new(loop_base(loop), fd, ssl, state, BEV_OPT_DEFER_CALLBACKS);
	}
	if (stream == NULL) {
		SSL_free(ssl);
		close(fd);
	}
	return stream;
}

int stream_end(struct bufferevent *stream, bool say_close)
{
	SSL *ssl = bufferevent_openssl_get_ssl(stream);
	int fd = bufferevent_getfd(stream);

	if (say_close)
		SSL_shutdown(ssl); /* if there is room; nobody waits for the peer's */
	/* Without this OpenSSL takes the session for broken and will not resume it. */
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	bufferevent_disable(stream, EV_READ | EV_WRITE);
	bufferevent_free(stream);
	SSL_free(ssl);
	ERR_clear_error();
	return fd;
}

void stream_free(struct bufferevent *stream, bool say_close)
{
	if (stream != NULL)
		close(stream_end(stream, say_close));
}
