build-tsan/obj/router/ring_test.o: router/ring_test.c router/ring.h \
 libflynn/list.h libflynn/attr.h libflynn/buf.h libflynn/attr.h \
 router/record.h libflynn/http_parse.h
router/ring.h:
libflynn/list.h:
libflynn/attr.h:
libflynn/buf.h:
libflynn/attr.h:
router/record.h:
libflynn/http_parse.h:
