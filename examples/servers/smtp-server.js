// nodemailer's smtp-server (npm install smtp-server) on the loopback, mail thrown away.
// profile-run -- node smtp-server.js [PORT]
const { SMTPServer } = require('smtp-server');

const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    // It looks up the name of each client's address otherwise.
    disableReverseLookup: true,
    onData(stream, session, done) {
        stream.resume();
        stream.on('end', () => done());
    },
});
server.on('error', (error) => console.error(error.message));
server.listen(Number(process.argv[2] || 2525), '127.0.0.1');
