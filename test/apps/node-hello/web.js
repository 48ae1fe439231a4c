const http = require('http')

const port = process.env.PORT

const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain')
  response.end(`Hello from Flynn on port ${port}\n`)
})

server.listen(port, () => console.log(`Listening on ${port}`))

process.on('SIGTERM', () => server.close(() => process.exit(0)))
