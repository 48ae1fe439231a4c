build-tsan/obj/libflynn/http_chunked.o: libflynn/http_chunked.c \
 libflynn/http_parse.h libflynn/attr.h libflynn/err.h libflynn/attr.h
libflynn/http_parse.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/attr.h:
