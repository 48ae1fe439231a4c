// Says which instance answered, so that a caller can see several of them.
const http = require('http');
const ms = require('ms');

const port = process.env.PORT;
const started = Date.now();

http.createServer((req, res) => {
	if (req.url === '/uptime')
		return res.end(ms(Date.now() - started) + '\n');
	res.setHeader('Content-Type', 'text/plain');
	res.end(`Hello from Flynn on port ${port}\n`);
}).listen(port, () => console.log(`listening on ${port}`));
