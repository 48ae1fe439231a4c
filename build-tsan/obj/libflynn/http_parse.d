build-tsan/obj/libflynn/http_parse.o: libflynn/http_parse.c \
 libflynn/http_parse.h libflynn/err.h libflynn/attr.h libflynn/xmalloc.h
libflynn/http_parse.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/xmalloc.h:
