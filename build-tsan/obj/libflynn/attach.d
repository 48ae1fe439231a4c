build-tsan/obj/libflynn/attach.o: libflynn/attach.c libflynn/attach.h \
 libflynn/attach_internal.h libflynn/attr.h libflynn/err.h \
 libflynn/attr.h libflynn/frame.h libflynn/http_client.h \
 libflynn/http_parse.h libflynn/sign.h libflynn/xmalloc.h
libflynn/attach.h:
libflynn/attach_internal.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/frame.h:
libflynn/http_client.h:
libflynn/http_parse.h:
libflynn/sign.h:
libflynn/xmalloc.h:
