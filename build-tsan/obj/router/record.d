build-tsan/obj/router/record.o: router/record.c router/record.h \
 libflynn/http_parse.h libflynn/attr.h libflynn/buf.h libflynn/attr.h \
 libflynn/clock.h libflynn/json.h
router/record.h:
libflynn/http_parse.h:
libflynn/attr.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/clock.h:
libflynn/json.h:
