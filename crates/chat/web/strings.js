// What the chat says, by language.

export const STRINGS = {
  en: {
    chat: "Chat", close: "Close chat", send: "Send", ask: "Ask a question…", log: "Conversation", suggestions: "Suggested questions",
    you: "You", assistant: "Assistant", sources: "Sources", answering: "Looking for the answer…",
    lost: "Connection lost. Your message is safe here; reconnecting…", again: "Try again", notice: "Answers are automatic and name their sources.",
    gone: "The earlier conversation cannot be continued, so this starts a new one.", absent: "This assistant is not available here.",
    long: "Your message is too long. Please shorten it and send it again.", unread: "The message could not be read. Please rephrase it.",
    away: "The assistant is away for a moment. Trying again…", trouble: "Something went wrong on our side. Your message was not lost.",
    forget: "Delete this conversation", erase: "Delete", retain: "Keep", erased: "The conversation was deleted.",
    really: "Delete this conversation for good? It is erased here and on the server, and nobody can bring it back.",
  },
  de: {
    chat: "Chat", close: "Chat schließen", send: "Senden", ask: "Stellen Sie eine Frage…", log: "Unterhaltung", suggestions: "Vorgeschlagene Fragen",
    you: "Sie", assistant: "Assistent", sources: "Quellen", answering: "Ich suche die Antwort…",
    lost: "Verbindung verloren. Ihre Nachricht ist hier sicher; neuer Versuch…", again: "Noch einmal versuchen", notice: "Antworten entstehen automatisch und nennen ihre Quellen.",
    gone: "Die frühere Unterhaltung lässt sich nicht fortsetzen; hier beginnt eine neue.", absent: "Dieser Assistent ist hier nicht verfügbar.",
    long: "Ihre Nachricht ist zu lang. Bitte kürzen Sie sie und senden Sie sie erneut.", unread: "Die Nachricht war nicht lesbar. Bitte formulieren Sie sie anders.",
    away: "Der Assistent ist gerade nicht da. Neuer Versuch…", trouble: "Bei uns ist etwas schiefgegangen. Ihre Nachricht ist nicht verloren.",
    forget: "Diese Unterhaltung löschen", erase: "Löschen", retain: "Behalten", erased: "Die Unterhaltung wurde gelöscht.",
    really: "Diese Unterhaltung endgültig löschen? Sie wird hier und auf dem Server gelöscht, und niemand kann sie zurückholen.",
  },
  fr: {
    chat: "Chat", close: "Fermer le chat", send: "Envoyer", ask: "Posez une question…", log: "Conversation", suggestions: "Questions proposées",
    you: "Vous", assistant: "Assistant", sources: "Sources", answering: "Je cherche la réponse…",
    lost: "Connexion perdue. Votre message est conservé ici ; reconnexion…", again: "Réessayer", notice: "Les réponses sont automatiques et citent leurs sources.",
    gone: "La conversation précédente ne peut pas continuer ; en voici une nouvelle.", absent: "Cet assistant n’est pas disponible ici.",
    long: "Votre message est trop long. Raccourcissez-le puis renvoyez-le.", unread: "Le message n’a pas pu être lu. Reformulez-le, s’il vous plaît.",
    away: "L’assistant s’est absenté un instant. Nouvel essai…", trouble: "Un problème est survenu de notre côté. Votre message n’est pas perdu.",
    forget: "Supprimer cette conversation", erase: "Supprimer", retain: "Garder", erased: "La conversation a été supprimée.",
    really: "Supprimer définitivement cette conversation ? Elle est effacée ici et sur le serveur, et personne ne peut la récupérer.",
  },
  es: {
    chat: "Chat", close: "Cerrar el chat", send: "Enviar", ask: "Haga una pregunta…", log: "Conversación", suggestions: "Preguntas sugeridas",
    you: "Usted", assistant: "Asistente", sources: "Fuentes", answering: "Busco la respuesta…",
    lost: "Se perdió la conexión. Su mensaje está a salvo aquí; reconectando…", again: "Reintentar", notice: "Las respuestas son automáticas y citan sus fuentes.",
    gone: "La conversación anterior no puede continuar; aquí empieza una nueva.", absent: "Este asistente no está disponible aquí.",
    long: "Su mensaje es demasiado largo. Acórtelo y envíelo de nuevo.", unread: "No se pudo leer el mensaje. Escríbalo de otra forma, por favor.",
    away: "El asistente no está en este momento. Nuevo intento…", trouble: "Algo falló por nuestra parte. Su mensaje no se ha perdido.",
    forget: "Eliminar esta conversación", erase: "Eliminar", retain: "Conservar", erased: "La conversación se ha eliminado.",
    really: "¿Eliminar esta conversación para siempre? Se borra aquí y en el servidor, y nadie puede recuperarla.",
  },
};
